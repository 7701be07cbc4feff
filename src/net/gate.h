/*
 * The gate of an exchange: who may send on its connection. The thread that has the exchange passes it to send and to end it.
 * Whoever runs the loop shuts it, for ever, to answer in its place; or borrows it for one send that does not block, for which the
 * thread waits. Any thread borrows it to look at the connection, which the loop could close otherwise. What both would write is
 * written behind the gate alone.
 */
#ifndef NET_GATE_H
#define NET_GATE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

enum gate_state {
    GATE_OPEN,
    GATE_PASSED,   /* by the thread, which opens it again, or has ended the exchange */
    GATE_BORROWED, /* for a moment: by the loop to send, or by any thread to look at the connection */
    GATE_SHUT,     /* by the loop */
};

struct gate {
    atomic_int state;
};

/* False when somebody else has: for now, or for ever. */
static inline bool gate_pass(struct gate *gate, enum gate_state to)
{
    int seen = GATE_OPEN;
    while (!atomic_compare_exchange_strong_explicit(&gate->state, &seen, to, memory_order_acquire,
                                                    memory_order_relaxed)) {
        if (seen != GATE_BORROWED)
            return false;
        sched_yield();
        seen = GATE_OPEN;
    }
    return true;
}

/* From any thread. */
static inline bool gate_is_shut(const struct gate *gate)
{
    return atomic_load_explicit(&gate->state, memory_order_relaxed) == GATE_SHUT;
}

static inline void gate_open(struct gate *gate)
{
    atomic_store_explicit(&gate->state, GATE_OPEN, memory_order_release);
}

#endif
