/*
 * A stand-in for the service manager: the socket that $NOTIFY_SOCKET names.
 */
#ifndef MANAGER_H
#define MANAGER_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static int manager_fd = -1;

/* `name` as in $NOTIFY_SOCKET, which is set to it. */
static inline void manager_open(const char *name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = strlen(name);
    memcpy(address.sun_path, name, size + 1);
    if (name[0] == '@')
        address.sun_path[0] = '\0';
    manager_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager_fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + (name[0] != '@'))),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

/* The next datagram, or "" when there is none. */
static inline const char *manager_heard(void)
{
    static char text[512];
    ssize_t size = recv(manager_fd, text, sizeof(text) - 1, 0);
    text[size > 0 ? size : 0] = '\0';
    return text;
}

#endif
