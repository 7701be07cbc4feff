/*
 * A worker's listeners: the sockets of its slot, from which it accepts while there is room.
 *
 * At --worker-connections the connection that has idled longest is closed for the one that comes,
 * as nginx does. A request may be on its way there. Accepting pauses when all connections are in
 * use, or when the process or the system has no descriptor left. Meanwhile the kernel keeps the
 * clients in its queue: nothing is dropped, and nothing spins. Accepting goes on when a connection
 * closes or idles, or shortly after.
 *
 * Belongs to the thread that runs the loop.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include "net/address.h"
#include "net/loop.h"

struct listeners;

/* Starts accepting. The addresses' sockets of `slot`, and their previous sockets, must outlive the
 * listeners and are not closed. */
struct listeners *listeners_new(struct loop *loop, const struct address *addresses, size_t count,
                                unsigned slot);
/* Accepts from another slot's sockets, too, while no worker serves there. Sockets that all slots
 * share are served already. */
void listeners_serve(struct listeners *listeners, unsigned slot, bool serve);
/* Stops accepting. With `for_good` no other process goes on: takes the connections that the kernel
 * has accepted. Then the kernel refuses clients. */
void listeners_stop(struct listeners *listeners, bool for_good);
void listeners_free(struct listeners *listeners); /* NULL is fine */

#endif
