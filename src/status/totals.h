/*
 * The totals: the scoreboard read at one moment, summed over all rows. The status process needs no
 * other source. Any thread.
 */
#ifndef STATUS_TOTALS_H
#define STATUS_TOTALS_H

#include "base/scoreboard.h"

/* The state of the service as a whole. */
enum service_state {
    SERVICE_STARTING,  /* no worker serves yet */
    SERVICE_READY,     /* a worker takes requests */
    SERVICE_SATURATED, /* workers serve, but refuse requests for lack of threads */
    SERVICE_STALLED,   /* no serving worker progresses or accepts, while clients wait */
    SERVICE_DRAINING,  /* the service stops; the last workers finish their requests */
    SERVICE_DOWN,      /* no worker */
    SERVICE_STATES
};

struct totals {
    uint64_t now_ms, now_ns; /* clock_ms(), clock_ns() */
    enum service_state state;
    uint32_t workers[WORKER_STATES]; /* by state */
    /* At this moment: */
    uint32_t threads, busy; /* of workers that serve */
    uint32_t queued;
    uint32_t connections, idle, reading, active, writing;
    uint64_t spooled; /* bytes of --spool-total */
    /* Since the start: */
    uint64_t answers; /* the sum of: */
    uint64_t answers_by_code[SCOREBOARD_CODES];
    uint64_t accepted, received, sent;
    uint64_t refused[REFUSALS], handed_over[HANDOVER_REASONS];
    struct histogram_copy request, queue, call;
};

void totals_take(struct totals *totals, struct scoreboard *board);

/* The state of a row's worker, with WORKER_STALLED. */
enum worker_state totals_worker_state(const struct scoreboard_row *row);

const char *service_state_name(enum service_state state);

#endif
