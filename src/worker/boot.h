/*
 * The start of a worker or a zygote, before it can serve: the environment, the interpreter, the
 * application. The noted times are the process's own.
 */
#ifndef WORKER_BOOT_H
#define WORKER_BOOT_H

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "py/application.h"
#include "worker/worker_setup.h"

/* Loads the application; the GIL stays with this thread. NULL after a log record; Python may have
 * started by then. Python's stacks go to `crash_output` in a crash, or when they are asked for. */
struct application *boot_application(const struct options *options, int crash_output,
                                     enum log_level warnings);
/* The same in a worker or a zygote; the process of slot 0 warns for all. Of `setup` only slot,
 * crash_pipe and what all workers have in common are used. Call descriptors_note before. */
struct application *boot(const struct worker_setup *setup);
/* When boot began, by the wall clock. This process may have read a file that changed since as it
 * was before. */
struct timespec boot_begun(void);
/* The number of the last failed reload by then (base/scoreboard.h): this process has loaded a later
 * state of the code. */
uint32_t boot_failed_reloads(void);

#endif
