/*
 * The owner of a port that cannot be bound, as far as /proc shows it to this user. For error
 * messages: it looks through all processes.
 */
#ifndef NET_PORT_OWNER_H
#define NET_PORT_OWNER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Writes "process 4242 (nginx)" to `text`: of the processes that share the listening socket, the
 * one with the lowest number. False, with "" in `text`, when the owner cannot be seen: it belongs
 * to another user or container, or is this process. */
bool port_owner_find(const struct sockaddr *address, socklen_t size, char *text, size_t text_size);

#endif
