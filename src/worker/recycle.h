/*
 * When a worker has served long enough: --max-requests, --max-lifetime, --max-rss. It then asks for
 * a successor. Belongs to the thread that runs the loop.
 */
#ifndef WORKER_RECYCLE_H
#define WORKER_RECYCLE_H

#include <stdbool.h>
#include <stdint.h>

#include "net/loop.h"
#include "net/timers.h"
#include "options/options.h"

struct recycle {
    const struct options *options;
    const struct scoreboard_row *row;
    struct timer *timer;      /* for the other two limits; NULL without them */
    uint64_t requests;        /* of the row's counter, at which it is due; UINT64_MAX: never */
    uint64_t lifetime_end_ms; /* 0: none */
    bool told;
    void (*due)(void *context);
    void *context;
};

/* Calls `due` once, in the loop or in recycle_look, after a log record with the reason. The
 * options, the loop and the struct must stay where they are. */
void recycle_init(struct recycle *recycle, struct loop *loop, uint32_t random, void (*due)(void *context),
                  void *context);
void recycle_fini(struct recycle *recycle);

/* Between two turns of the loop: compares the number of requests with the limit. */
void recycle_look(struct recycle *recycle);

#endif
