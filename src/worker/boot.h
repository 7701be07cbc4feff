/*
 * What a process of ours does before it can serve: the environment, the interpreter, the application.
 */
#ifndef WORKER_BOOT_H
#define WORKER_BOOT_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "py/application.h"
#include "worker/worker_setup.h"

/* Leaves the GIL with this thread. NULL after a log record; Python may have started by then. When it crashes, or is asked for its stacks, they go to that descriptor. */
struct application *boot_application(const struct options *options, int crash_output,
                                     enum log_level warnings);
/* Likewise, in a worker or a zygote; the one of slot 0 warns, for all. Of `setup`, only what all workers have in common, slot and
 * crash_pipe are used. Before that, descriptors_note. */
struct application *boot(const struct worker_setup *setup);
/* When that began, by the wall clock: what was saved since may be older in this process. */
struct timespec boot_begun(void);
/* The number of the last failed reload by then (base/scoreboard): what has been loaded is newer. */
uint32_t boot_failed_reloads(void);

#endif
