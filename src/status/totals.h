/*
 * The totals: the scoreboard read at one moment, added up over all rows. For the status process, which asks nobody.
 */
#ifndef STATUS_TOTALS_H
#define STATUS_TOTALS_H

#include "base/scoreboard.h"

/* What the service as a whole is at. */
enum service_state {
    SERVICE_STARTING,  /* no worker serves yet */
    SERVICE_READY,     /* one at least takes requests */
    SERVICE_SATURATED, /* they serve, but refuse requests for lack of threads */
    SERVICE_STALLED,   /* none of those that serve moves, or accepts, while clients wait */
    SERVICE_DRAINING,  /* the service stops; the last ones finish what they have */
    SERVICE_DOWN,      /* there is no worker */
    SERVICE_STATES
};

struct totals {
    uint64_t now_ms, now_ns; /* clock_ms(), clock_ns() */
    enum service_state state;
    uint32_t workers[WORKER_STATES]; /* by state */
    /* Now: */
    uint32_t threads, busy; /* of the workers that serve */
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

/* What a row's worker does. */
enum worker_state totals_worker_state(const struct scoreboard_row *row);

const char *service_state_name(enum service_state state);

#endif
