/*
 * Stalls: workers that serve and do not move, or cannot accept, while clients wait.
 *
 * A worker does not move when its process is stopped (SIGSTOP), waits for pages that were swapped out, or hangs in the kernel. A
 * call that computes and keeps the GIL is no stall: the monitor goes on with the loop (app/baton.h). An idle worker sleeps, so a
 * message makes its loop turn before it is judged. A worker cannot accept for long when the application holds its descriptors.
 *
 * Such a worker is marked in the scoreboard and told in the log; when it lasts, its successor is asked for. Time is counted in
 * looks: a service that was frozen as a whole has not looked meanwhile.
 */
#ifndef MASTER_STALLS_H
#define MASTER_STALLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "fleet/slot.h"
#include "master/unserved_slots.h"
#include "options/options.h"

struct stalls;

struct stalls_actions {
    /* A message that makes the worker of that row turn its loop. */
    void (*ping)(void *context, unsigned row);
    void (*replace)(void *context, unsigned row, enum replacement why);
    /* The process whose row it is, 0 for none. The row says so too, but a worker may write anything there. */
    pid_t (*pid)(void *context, unsigned row);
    void *context;
};

/* Between two looks. */
enum { STALLS_LOOK_MS = 200 };

struct stalls *stalls_new(struct scoreboard *board, const struct unserved_slots *unserved,
                          const struct stalls_actions *actions);
void stalls_free(struct stalls *stalls); /* NULL is fine */

/* After unserved_slots_tick, every STALLS_LOOK_MS. `options`: those that serve; with --timeout 0 a worker that does not move is never
 * replaced. What is found is logged here. */
void stalls_look(struct stalls *stalls, const struct options *options);

#endif
