/*
 * Stalls: workers that serve and do not move, or cannot accept, while clients wait.
 *
 * A worker does not move when its process is stopped (SIGSTOP), waits for pages that were swapped
 * out, or hangs in the kernel. A call that computes and keeps the GIL is no stall: the monitor goes
 * on with the loop (app/baton.h). An idle worker sleeps, so a message makes its loop turn before it
 * is judged. A worker cannot accept for long when the application holds its descriptors.
 *
 * The module marks such a worker in the scoreboard and logs it. When the stall lasts, the module
 * asks for a successor. Time is counted in looks: a service that was frozen as a whole has not
 * looked meanwhile.
 *
 * The master calls these, in its loop.
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
    /* Sends the row's worker a message that makes its loop turn. */
    void (*ping)(void *context, unsigned row);
    void (*replace)(void *context, unsigned row, enum replacement why);
    /*
     * Returns the process of the row, 0: none. The row has a pid too, but a worker may write
     * anything there.
     */
    pid_t (*pid)(void *context, unsigned row);
    void *context;
};

/* The time between two looks. */
enum { STALLS_LOOK_MS = 200 };

struct stalls *stalls_new(struct scoreboard *board, const struct unserved_slots *unserved,
                          const struct stalls_actions *actions);
void stalls_free(struct stalls *stalls); /* NULL is fine */

/*
 * Looks at all workers, and logs what it finds. The caller calls this every STALLS_LOOK_MS, after
 * unserved_slots_tick. `options` are those of the generation that serves. With --timeout 0 a worker
 * that does not move is never replaced.
 */
void stalls_look(struct stalls *stalls, const struct options *options);

#endif
