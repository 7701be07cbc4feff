/*
 * A call of the application that runs, as the scoreboard has it. Workers write there, and may write anything: what is read is bounded
 * and escaped here.
 */
#ifndef PROC_RUNNING_CALL_H
#define PROC_RUNNING_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/scoreboard.h"

struct running_call {
    uint64_t age_ms;
    char request[4 * SCOREBOARD_REQUEST_SIZE]; /* the request line, for a terminal or a log */
};

/* What runs there at `now_ns` (clock_ns). False when nothing does. */
bool running_call_read(const struct scoreboard_call *call, uint64_t now_ns, struct running_call *running);

/* A warning for each that runs, in a worker that cannot wait for it. */
void running_calls_warn(const struct scoreboard_call *calls, unsigned threads);

#endif
