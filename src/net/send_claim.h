/*
 * The send claim of an exchange: which thread may send on its connection. The thread that has the
 * exchange takes the claim to send, and to end the exchange.
 *
 * The thread that runs the loop revokes it, for ever, to answer in that thread's place. Or it
 * borrows the claim for one send that does not block, and the other thread waits. Any thread
 * borrows it to look at the connection, which the loop could close otherwise. Fields that both
 * threads write are written with the claim alone.
 */
#ifndef NET_SEND_CLAIM_H
#define NET_SEND_CLAIM_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum send_claim_state {
    CLAIM_FREE,
    CLAIM_TAKEN,    /* by the thread, which releases it again, or has ended the exchange */
    CLAIM_BORROWED, /* for a moment: by the loop to send, or by any thread to look at the connection */
    CLAIM_REVOKED,  /* by the loop, for ever */
};

struct send_claim {
    atomic_int state;
};

/* False when another thread has the claim, for now or for ever. */
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
