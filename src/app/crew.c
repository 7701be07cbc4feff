/* The crew: runs what is ready, a batch at a time. */
#include "app/crew.h"

#include "base/clock.h"
#include "net/exchange.h"
#include "py/interp.h"

/* Many short calls must not starve the I/O; one long call has had its turn. The coarse clock is a few milliseconds fine and
 * costs next to nothing. */
enum { BATCH_MS = 1 };

static void run_batch(struct loop *loop)
{
    uint64_t end = clock_ms() + BATCH_MS;
    struct exchange *exchange;
    while ((exchange = loop_take_ready(loop)) != NULL) {
        loop->handler->run(loop->handler_context, exchange);
        if (clock_ms() > end)
            return;
    }
}

void crew_run(struct loop *loop)
{
    /* A child that the application left behind may hold the sockets too: only shutdown reaches the peer then. */
    loop->shared_with_children = interp_has_forked();
    if (loop->ready_count == 0)
        return;
    scoreboard_set(loop->row->ready, (uint32_t)loop->ready_count);
    gil_take();
    run_batch(loop);
    gil_release();
    scoreboard_set(loop->row->ready, (uint32_t)loop->ready_count);
    loop->shared_with_children = interp_has_forked();
}
