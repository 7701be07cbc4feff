/*
 * Who has an address that cannot be bound, as far as /proc tells this user. For error messages: it looks through all processes.
 */
#ifndef NET_PORT_OWNER_H
#define NET_PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* In `text`: "process 4242 (nginx)", the one with the lowest number of those that share the socket that listens
 * there. False, and `text` is "", when it cannot be seen: it is another user's, or in another container; or it is this process. */
bool port_owner_find(const struct sockaddr *address, socklen_t size, char *text, size_t text_size);

#endif
