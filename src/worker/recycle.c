/* When a worker has served long enough. */
#include "worker/recycle.h"

#include <inttypes.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/loop.h"
#include "proc/resources.h"

/* The interval between two looks at memory and age. */
enum { LOOK_MS = 1000 };

/* Workers that were started together must not be due together. */
static uint64_t spread(uint64_t ms, uint32_t random)
{
    return ms + ms / 10 * (random % 1024) / 1024;
}

static void tell(struct recycle *recycle)
{
    recycle->told = true;
    recycle->due(recycle->context);
}

static void look_at_age_and_memory(void *context)
{
    struct recycle *recycle = context;
    uint64_t limit = (uint64_t)recycle->options->max_rss, rss = limit > 0 ? memory_resident(getpid()) : 0;
    if (recycle->told)
        return;
    if (recycle->lifetime_end_ms != 0 && clock_ms() >= recycle->lifetime_end_ms) {
        log_info("--max-lifetime is over: this worker is replaced");
        tell(recycle);
    } else if (rss > limit) {
        log_warning("%" PRIu64 " KiB are more than --max-rss: this worker is replaced", rss / 1024);
        tell(recycle);
    } else {
        timer_set(recycle->timer, LOOK_MS);
    }
}

void recycle_look(struct recycle *recycle)
{
    if (recycle->told || scoreboard_get(recycle->row->requests) < recycle->requests)
        return;
    log_info("--max-requests is reached: this worker is replaced");
    tell(recycle);
}

void recycle_init(struct recycle *recycle, struct loop *loop, uint32_t random, void (*due)(void *context),
                  void *context)
{
    const struct options *options = loop->options;
    uint64_t jitter = random % ((uint64_t)options->max_requests_jitter + 1);
    *recycle = (struct recycle){
        .options = options, .row = loop->row, .requests = UINT64_MAX, .due = due, .context = context};
    if (options->max_requests > 0)
        recycle->requests = scoreboard_get(loop->row->requests) + (uint64_t)options->max_requests + jitter;
    if (options->max_lifetime > 0)
        recycle->lifetime_end_ms = clock_ms() + spread((uint64_t)options->max_lifetime, random);
    if (options->max_lifetime > 0 || options->max_rss > 0) {
        recycle->timer = timer_new(loop->base, look_at_age_and_memory, recycle);
        timer_set(recycle->timer, LOOK_MS);
    }
}

void recycle_fini(struct recycle *recycle)
{
    timer_free(recycle->timer);
    recycle->timer = NULL;
}
