/*
 * Hand-over: connections belong to the service, not to a worker. Between requests, or with one that no thread here can start, a
 * connection goes to another worker in a parcel (net/parcel.h), three times for a reason:
 *
 *   balance   a connection that stays after its first answer goes to the worker with the fewest, when this one has clearly more;
 *             and a moment later, when the numbers differ all the same, idle ones do
 *   busy      requests that wait beside calls that last go to workers that have a thread idle
 *   retire    everything idle goes to the successor
 *
 * Who has how many of what is read from the scoreboard. A slot's post is open to all workers, and read by whoever serves in the
 * slot; what nobody has read waits there for the next, or until the reader, which may be out of descriptors, can take it. Belongs
 * to whoever runs the loop.
 */
#ifndef NET_HANDOVER_H
#define NET_HANDOVER_H

#include "net/address.h"
#include "net/conn.h"
#include "net/parcel.h"

struct handover;

struct handover_setup {
    const struct address *addresses;
    size_t address_count;
    const int *transfer_out; /* where to send: a descriptor for each slot */
    const int *transfer_in;  /* where parcels for each slot arrive */
    unsigned slot, slots;
    unsigned seats; /* rows of the board for each slot: the slot's first is number slot * seats */
    struct scoreboard *board;
};

/* All that is in the setup must outlive it. Parcels are taken from here on. */
struct handover *handover_new(struct loop *loop, const struct handover_setup *setup);
void handover_free(struct handover *handover); /* NULL is fine */

/* The connection has just been deferred. True: it is another worker's now, and to be freed. */
bool handover_offer(struct handover *handover, struct conn *conn);

/* All threads here are busy, and will be for a while: what is ready goes where one is idle. Looks again while something waits. */
void handover_ship(struct handover *handover);

/* Takes what is sent to another slot, too, while nobody serves there. */
void handover_serve(struct handover *handover, unsigned slot, bool serve);

/* The service stops, and loop_drain has been called: this worker sends nothing any more. What is in any post is taken now, also in that
 * of a worker that has left already: perhaps we have sent it. */
void handover_take_all(struct handover *handover);

/* A successor serves: takes no parcels any more, and gives it what is idle, or will be. */
void handover_retire(struct handover *handover);

#endif
