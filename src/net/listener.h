/*
 * A worker's listeners: the sockets of its slot, accepted from while there is room.
 *
 * At --worker-connections the connection that has idled for the longest time is closed for the one that comes, as nginx does; a
 * request may be on its way on it. When all are in use, or the process or the system has no descriptor left, accepting pauses: the
 * kernel keeps what waits, nothing is dropped, nothing spins. It goes on when a connection closes or idles, or shortly after.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/loop.h"

struct listeners;

/* Starts accepting. The addresses' sockets of `slot`, and their previous ones, must outlive the listeners; they are not closed. */
struct listeners *listeners_new(struct loop *loop, const struct address *addresses, size_t count,
                                unsigned slot);
/* Accepts from another slot's sockets, too, while nobody serves there. What all slots share is served already. */
void listeners_serve(struct listeners *listeners, unsigned slot, bool serve);
/* Accepts no more. With `for_good` nobody will: takes what the kernel has already accepted, then the kernel refuses who comes. */
void listeners_stop(struct listeners *listeners, bool for_good);
void listeners_free(struct listeners *listeners); /* NULL is fine */

#endif
