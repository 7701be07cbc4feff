/*
 * A zygote (--preload): the process of a generation that imports the application, and from then on forks the generation's workers, when
 * the master asks for one. What it has imported they share with it, and with each other, until they change it.
 *
 * A worker is the master's child from its first step on (preload/reparented_fork.h), and begins when the master has been told of it: there is
 * none that the master does not know.
 */
#ifndef PRELOAD_ZYGOTE_H
#define PRELOAD_ZYGOTE_H

#include <stdatomic.h>

#include "worker/worker_setup.h"

struct zygote_setup {
    /* What the worker of the seat `number` gets. Called in the zygote, and in the worker. */
    void (*describe)(void *context, unsigned number, unsigned generation, struct worker_setup *setup);
    void *context;
    unsigned count; /* of the seats */
    unsigned generation;
    int channel;    /* the zygote's end */
    int crash_pipe; /* where faulthandler writes when it crashes */
    /* Shared with the master: set when it has told why it could not load the application, which may have closed the zygote channel. */
    atomic_bool *has_told;
};

/* In the child, right after the fork, with all signals blocked. Returns the exit status. */
int zygote_main(const struct zygote_setup *setup);
/* In the place of that, when the process must not go on: it is not the application that has failed. */
int zygote_excuse(const struct zygote_setup *setup);

#endif
