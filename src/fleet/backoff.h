/*
 * How long to wait before a worker that died is replaced: not at all the first time, longer while it keeps dying.
 */
#ifndef FLEET_BACKOFF_H
#define FLEET_BACKOFF_H

#include <stdint.h>

struct backoff {
    unsigned failures; /* since the last worker that stayed well */
};

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, BACKOFF_HEALTHY_MS = 60000 };

/* A worker died that lived for `age_ms`: the pause before the next, in ms. 0, 100, 200, 400 ... 10000; begins anew after one that
 * lived for a minute. `random` (any number) shifts it by up to a fifth, so that slots do not move in step. */
uint64_t backoff_next(struct backoff *backoff, uint64_t age_ms, uint32_t random);

#endif
