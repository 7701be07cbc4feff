/*
 * The control socket: checks who may ask, reads a line of request, and sends lines of answer
 * (doc/control-protocol.txt). control/control.h has the answers.
 *
 * The master never waits for a client. A client that sends or reads nothing for some seconds is
 * dropped. When too many are silent, the oldest is dropped for the next. Only an answer that the
 * service owes may take its time.
 *
 * The master calls these, in its loop.
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
struct control_client; /* lives from its connection to the end of its answer */

/* The event that a client waits for. */
enum control_wait { CONTROL_NOTHING, CONTROL_CONFIGURATION, CONTROL_RELOAD, CONTROL_STACKS };

/*
 * Listens at `path`, or takes the socket from `saved`, which may be NULL. `asked` gets each
 * request; it answers, or calls control_wait. NULL with one sentence in `message` on failure.
 */
struct control_socket *
control_socket_open(struct event_base *base, const char *path, const struct upgrade_state *saved,
                    void (*asked)(void *context, struct control_client *client, struct slice line),
                    void *context, char *message, size_t size);
/*
 * Checks that a control socket could be opened, whether or not another process listens there. The
 * caller closes `address` in any case. 0, or -1 with one sentence in `message`.
 */
int control_socket_check(struct address *address, const char *path, char *message, size_t size);
/* Removes the file. Clients that wait are told that the service has ended. */
void control_socket_close(struct control_socket *socket);
/*
 * Listens anew when the socket file is gone, and logs that. Clients in the old queue are taken
 * over.
 */
void control_socket_renew(struct control_socket *socket);
/* In a child: closes all descriptors. */
void control_socket_forget(const struct control_socket *socket);
/* True: no client is connected. */
bool control_socket_is_quiet(const struct control_socket *socket);
void control_socket_save(const struct control_socket *socket, struct upgrade_state *saved);

/* Adds a line to the answer. Control characters are escaped. */
void control_say(struct control_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Adds each line of a text. */
void control_say_lines(struct control_client *client, struct slice text);
/* Ends the answer. The client is gone afterwards. */
void control_succeed(struct control_client *client);
void control_fail(struct control_client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * Defers the answer. The client waits for `what` with that number. A client that goes away
 * meanwhile is dropped.
 */
void control_wait(struct control_client *client, enum control_wait what, unsigned number);
/*
 * Returns a client that waits for `what` with that number, or a smaller one. NULL: there is none.
 */
struct control_client *control_waiting(const struct control_socket *socket, enum control_wait what,
                                       unsigned number);

#endif
