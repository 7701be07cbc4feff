/*
 * Hand-over: a connection belongs to the service, not to a worker. Between requests, or with a
 * request that no thread here can start, it goes to another worker in a parcel (net/parcel.h).
 * There are three reasons:
 *
 *   balance   a connection that stays after its first answer goes to the worker with the fewest,
 *             when this worker has clearly more; a moment later idle ones may go too
 *   busy      requests that wait behind calls that last go to workers with an idle thread
 *   retire    every idle connection goes to the successor
 *
 * The scoreboard tells the numbers of each worker. All workers may send to the transfer socket of a
 * slot; the worker that serves the slot reads there. A parcel that is not read waits for the next
 * worker, or until the reader has descriptors for it.
 *
 * Belongs to the thread that runs the loop.
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
    const int *transfer_out; /* descriptors to send on, one per slot */
    const int *transfer_in;  /* descriptors on which parcels for each slot arrive */
    unsigned slot, slots;
    unsigned seats; /* rows of the board per slot: the first row of a slot is slot * seats */
    struct scoreboard *board;
};

/* The contents of the setup must outlive it. Takes parcels from here on. */
struct handover *handover_new(struct loop *loop, const struct handover_setup *setup);
void handover_free(struct handover *handover); /* NULL is fine */

/* The connection has just been deferred. True: another worker has it now, and the caller frees
 * it. */
bool handover_offer(struct handover *handover, struct conn *conn);

/* All threads here are busy, and will be for a while: sends ready requests to workers with an idle
 * thread. Tries again while requests wait. */
void handover_ship(struct handover *handover);

/* Takes parcels of another slot, too, while no worker serves there. */
void handover_serve(struct handover *handover, unsigned slot, bool serve);

/* The service stops, and loop_drain was called: this worker sends no more parcels. Takes the
 * parcels of all slots, also of those whose worker has left: this worker may have sent them. */
void handover_take_all(struct handover *handover);

/* A successor serves: takes no more parcels, and sends it the connections that idle, now and
 * later. */
void handover_retire(struct handover *handover);

#endif
