/*
 * The history of the last minutes: one sample of the service a second, for the curves of the status
 * page. One thread.
 */
#ifndef STATUS_HISTORY_H
#define STATUS_HISTORY_H

#include "status/totals.h"

enum { HISTORY_INTERVAL_MS = 1000, HISTORY_SAMPLES = 300, HISTORY_MINUTE = 60 };

/* The figures of an interval. */
struct history_sample {
    double requests, errors;            /* per second; errors: 5xx */
    uint64_t p50, p90, p99;             /* ns, of requests that ended; 0 for none */
    uint32_t queued, busy, connections; /* at its end */
};

/* Covers the last minute, or the time since the start. */
struct history_minute {
    double seconds;
    struct histogram_copy request, queue, call;
};

struct history;

struct history *history_new(void);
void history_free(struct history *history);

/* Call once in HISTORY_INTERVAL_MS. The first totals are the beginning. */
void history_add(struct history *history, const struct totals *totals);

unsigned history_count(const struct history *history); /* at most HISTORY_SAMPLES */
/* Number 0 is the oldest. */
const struct history_sample *history_sample(const struct history *history, unsigned number);
void history_minute(const struct history *history, const struct totals *now, struct history_minute *minute);

#endif
