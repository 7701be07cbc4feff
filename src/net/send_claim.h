/*
 * The gate of an exchange: who may send on its connection. The thread that has the exchange passes it to send and to end it.
 * Whoever runs the loop shuts it, for ever, to answer in its place; or borrows it for one send that does not block, for which the
 * thread waits. Any thread borrows it to look at the connection, which the loop could close otherwise. What both would write is
 * written behind the gate alone.
 */
#ifndef NET_SEND_CLAIM_H
#define NET_SEND_CLAIM_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum send_claim_state {
    CLAIM_FREE,
    CLAIM_TAKEN,    /* by the thread, which opens it again, or has ended the exchange */
    CLAIM_BORROWED, /* for a moment: by the loop to send, or by any thread to look at the connection */
    CLAIM_REVOKED,  /* by the loop */
};

struct send_claim {
    atomic_int state;
};

/* False when somebody else has: for now, or for ever. */
static inline bool send_claim_take(struct send_claim *claim, enum send_claim_state to)
{
    int seen = CLAIM_FREE;
    while (!atomic_compare_exchange_strong_explicit(&claim->state, &seen, to, memory_order_acquire,
                                                    memory_order_relaxed)) {
        if (seen != CLAIM_BORROWED)
            return false;
        sched_yield();
        seen = CLAIM_FREE;
    }
    return true;
}

/* From any thread. */
static inline bool send_claim_is_revoked(const struct send_claim *claim)
{
    return atomic_load_explicit(&claim->state, memory_order_relaxed) == CLAIM_REVOKED;
}

static inline void send_claim_release(struct send_claim *claim)
{
    atomic_store_explicit(&claim->state, CLAIM_FREE, memory_order_release);
}

#endif
