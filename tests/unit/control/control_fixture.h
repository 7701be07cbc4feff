/*
 * A control socket in a directory of its own, and clients of it in this thread: they ask, the loop turns until they have the answer.
 */
#ifndef CONTROL_FIXTURE_H
#define CONTROL_FIXTURE_H

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static struct event_base *control_base;
static char control_directory[] = "/tmp/gateway-unit-XXXXXX", control_path[64];
static char control_got[1 << 20]; /* the last answer, terminated */

static inline void control_set_up(void)
{
    signal(SIGPIPE, SIG_IGN);
    control_base = event_base_new();
    ck_assert_ptr_nonnull(mkdtemp(control_directory));
    snprintf(control_path, sizeof(control_path), "%s/socket", control_directory);
}

static inline void control_tear_down(void)
{
    ck_assert_int_eq(rmdir(control_directory), 0);
    event_base_free(control_base);
}

static inline int control_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    strcpy(address.sun_path, control_path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static inline void control_turn(void)
{
    for (int i = 0; i < 10; i++)
        event_base_loop(control_base, EVLOOP_NONBLOCK);
}

static inline int control_begin(const char *request)
{
    int fd = control_connect();
    ck_assert_int_eq(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    control_turn();
    return fd;
}

/* The answer, to its end. */
static inline const char *control_end(int fd)
{
    size_t size = 0;
    for (int tries = 0; tries < 2000; tries++) {
        ssize_t n = recv(fd, control_got + size, sizeof(control_got) - 1 - size, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        size += n > 0 ? (size_t)n : 0;
        if (n < 0)
            usleep(1000);
        control_turn();
    }
    close(fd);
    control_got[size] = '\0';
    return control_got;
}

static inline const char *control_ask(const char *request)
{
    return control_end(control_begin(request));
}

/* Whether an answer, or a part of it, is there. */
static inline bool control_has_come(int fd)
{
    char byte;
    control_turn();
    return recv(fd, &byte, 1, MSG_PEEK) >= 0;
}

#endif
