/*
 * The control socket: who may ask, a line of request, lines of answer (doc/control-protocol.txt). What is answered is control/control's business.
 *
 * Nothing waits for a client: one that says or reads nothing for some seconds is dropped, and where too many are silent, the
 * oldest of them for the next. Only an answer that the service itself owes may take its time.
 */
#ifndef CONTROL_CONTROL_SOCKET_H
#define CONTROL_CONTROL_SOCKET_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "net/address.h"
#include "upgrade/upgrade_state.h"

struct control_socket;
struct control_client; /* from its request to the end of its answer */

/* What an answer may wait for. */
enum control_wait { CONTROL_NOTHING, CONTROL_CONFIGURATION, CONTROL_RELOAD, CONTROL_STACKS };

/* `asked` is called with each request, which is answered there or promised with control_wait. NULL when nobody can listen at
 * `path`: one sentence in `message`. With an upgrade state, that has the socket already; NULL is fine. */
struct control_socket *
control_socket_open(struct event_base *base, const char *path, const struct upgrade_state *saved,
                    void (*asked)(void *context, struct control_client *client, struct slice line),
                    void *context, char *message, size_t size);
/* Whether one could be opened, but for others that listen there, and where: `address` is to be closed in any case. 0, or -1 with one sentence
 * in `message`. */
int control_socket_check(struct address *address, const char *path, char *message, size_t size);
/* Removes the file. Whoever still waits is told that the service has ended. */
void control_socket_close(struct control_socket *socket);
/* When its file is gone: it listens there anew, and that is told. Clients that wait in the old queue are answered. */
void control_socket_renew(struct control_socket *socket);
/* In a child: it lets go of all descriptors. */
void control_socket_forget(const struct control_socket *socket);
/* Nobody is being answered. */
bool control_socket_is_quiet(const struct control_socket *socket);
void control_socket_save(const struct control_socket *socket, struct upgrade_state *saved);

/* A line of the answer; control characters are escaped. */
void control_say(struct control_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Each line of a text. */
void control_say_lines(struct control_client *client, struct slice text);
/* The answer's end. The client is gone afterwards. */
void control_succeed(struct control_client *client);
void control_fail(struct control_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The answer comes later, with whatever has that number; clients that go away meanwhile are forgotten. */
void control_wait(struct control_client *client, enum control_wait what, unsigned number);
/* Somebody who waits for that number, or a smaller one; NULL when nobody does. */
struct control_client *control_waiting(const struct control_socket *socket, enum control_wait what,
                                       unsigned number);

#endif
