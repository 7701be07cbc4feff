/*
 * A worker: one process with an event loop and an interpreter of its own.
 *
 * It imports the application, reports ready to the master, serves until it is told to stop (or the
 * master is gone), finishes its requests and exits. The master tells it by the worker channel.
 * TERM, INT and QUIT do the same, for a signal to the whole process group.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "worker/worker_setup.h"

struct application;

/* In the child, right after the fork, with all signals blocked. Returns the exit status. */
int worker_main(const struct worker_setup *setup);
/* Sets the worker's name, in the log and for ps(1). */
void worker_identify(const struct worker_setup *setup);
/* The part of worker_main after the application is loaded (worker/boot.h). Until it serves the
 * process dies with the master. GIL held. */
int worker_serve(const struct worker_setup *setup, struct application *application);

#endif
