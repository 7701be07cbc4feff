/*
 * How a worker ended, and what is said of it: one record for each end.
 */
#ifndef FLEET_WORKER_END_H
#define FLEET_WORKER_END_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "base/slice.h"
#include "fleet/slot.h"

struct worker_end {
    unsigned slot;
    pid_t pid;                /* 0: it was never forked */
    bool of_zygote;           /* it is its zygote that ended, before it was forked; `pid` is that one's */
    enum worker_state state;  /* what it was doing */
    bool as_asked;            /* exit status 0 */
    enum restart_cause cause; /* by what it did alone: EXITED, SIGNAL or KILLED */
    const char *how;          /* see proc/death.h */
    struct slice
        crash_pipe; /* what it wrote when it crashed, or could not load the application; may be empty */
};

/* The first worker ended before it was ready: nothing was ever served. The exit status of the program. */
int worker_end_of_start(const struct worker_end *end);
/* One that served, or was to; `next` says what now. */
void worker_end_lost(const struct worker_end *end, const char *next, ...)
    __attribute__((format(printf, 2, 3)));
/* One that was told to leave. */
void worker_end_left(const struct worker_end *end);
/* Why it had to be replaced, when that was wanted for `why`. */
enum restart_cause worker_end_cause(const struct worker_end *end, enum replacement why);
/* The first of a new generation. */
void worker_end_of_reload(const struct worker_end *end);

#endif
