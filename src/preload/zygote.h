/*
 * A zygote (--preload): the process of a generation that imports the application, and then forks
 * the generation's workers when the master asks for them. The workers share with it, and with each
 * other, the memory of the import until they change it.
 *
 * A worker is the master's child from its first step on (preload/reparented_fork.h). It begins when
 * the master has been told of it, so that the master knows each worker.
 */
#ifndef PRELOAD_ZYGOTE_H
#define PRELOAD_ZYGOTE_H

#include <stdatomic.h>

#include "worker/worker_setup.h"

struct zygote_setup {
    /* Fills in the setup of the worker in the seat `number`. Called in the zygote and in the
     * worker. */
    void (*describe)(void *context, unsigned number, unsigned generation, struct worker_setup *setup);
    void *context;
    unsigned count; /* of the seats */
    unsigned generation;
    int channel;    /* the zygote's end */
    int crash_pipe; /* where faulthandler writes when the zygote crashes */
    /* Shared with the master. Set when the zygote has logged why it could not load the application:
     * that application may have closed the zygote channel. */
    atomic_bool *has_told;
};

/* In the child, right after the fork, with all signals blocked. Returns the exit status. */
int zygote_main(const struct zygote_setup *setup);
/* Replaces zygote_main when the process must not go on: the application has not failed. Returns the
 * exit status. */
int zygote_excuse(const struct zygote_setup *setup);

#endif
