/*
 * The end of Python in a process of this program, and the time that it has.
 *
 * Python waits there for the application's threads, the jobs of its executors and its atexit
 * functions, and destroys its objects. A thread that runs no Python watches it. When the time is
 * over, this thread logs one warning with the stacks of all threads, and ends the process.
 */
#ifndef PROC_PYTHON_END_H
#define PROC_PYTHON_END_H

#include <stdint.h>

#include "options/options.h"
#include "py/application.h"

enum {
    /* The time when nothing is left of --graceful-timeout, and after an import that failed. */
    PYTHON_END_LEAST_MS = 1000,
    PYTHON_END_QUICK_MS = 5000, /* at most, in a quick stop */
};

struct python_end {
    int status;           /* of the process when the time is over */
    uint64_t deadline_ms; /* by clock_ms; PYTHON_END_LEAST_MS remain in any case */
    uint64_t quick_ms;    /* what a quick stop leaves of that, from when it is asked for */
    int channel;          /* of a worker, where MESSAGE_QUIT asks for a quick stop; or -1 */
    int hurry;            /* readable when a signal asks for one, and again for an end at once; or -1 */
};

/* The value of quick_ms: PYTHON_END_QUICK_MS, or less where --graceful-timeout is less, or a
 * developer waits (--reload). */
uint64_t python_end_quick_ms(const struct options *options);

/* Begins to count the time, on the thread that will end Python. `end` is copied. The caller may
 * still have to wait for the GIL. */
void python_end_begin(const struct python_end *end);
/* Ends Python (interp_stop), which holds no object of the application's any more. GIL held. */
void python_end_finish(void);

/* Does all of it, within `ms`, in a process without calls. Frees the application, which is NULL
 * where the import failed: output that it has written until then is not lost. GIL held. */
void python_end_alone(struct application *application, int status, uint64_t ms);

#endif
