/* The crew: runs what is ready, a batch at a time. */
#include "app/crew.h"

#include <time.h>

#include "net/exchange.h"
#include "py/interp.h"

enum {
    BATCH_NS = 1000000, /* many short calls must not starve the I/O */
    CLOCK_EVERY = 16,   /* calls between two looks at the clock, while they are short */
};

static int64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000ll + now.tv_nsec;
}

static void run_batch(struct loop *loop)
{
    int64_t end = clock_ns() + BATCH_NS;
    struct exchange *exchange;
    for (unsigned count = 1; (exchange = loop_take_ready(loop)) != NULL; count++) {
        loop->handler->run(loop->handler_context, exchange);
        if (count % CLOCK_EVERY == 0 && clock_ns() >= end)
            return;
    }
}

void crew_run(struct loop *loop)
{
    if (loop->ready_count == 0)
        return;
    scoreboard_set(loop->row->ready, (uint32_t)loop->ready_count);
    gil_take();
    run_batch(loop);
    gil_release();
    scoreboard_set(loop->row->ready, (uint32_t)loop->ready_count);
    /* A child that the application left behind may hold the sockets too: only shutdown reaches the peer then. */
    loop->shared_with_children = interp_has_forked();
}
