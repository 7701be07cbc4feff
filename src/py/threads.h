/*
 * Threads: those that this process has besides the calling one, which a fork loses; and those that run the application.
 */
#ifndef PY_THREADS_H
#define PY_THREADS_H

#include <stdbool.h>

#include "options/listing.h"

/* Imports `threading` on the main thread: that module takes the thread that imports it first for the main one. 0, or -1 after a
 * log record. GIL held. */
int threads_init(void);

/* Adds each in quotation marks, by the name that Python's threading has for it, or else by the kernel's: C libraries have threads of
 * their own. GIL held. */
void threads_list(struct listing *listing);

/*
 * A thread that calls `run` without the GIL, and may call gil_take there. To Python it is a threading.Thread of that name, so that
 * tracers, profilers and debuggers see it. Python's end does not wait for it, but for what the application starts there. Where the
 * application has put something else in the place of Python's threads (gevent and eventlet do), Python does not know the thread.
 * Nor does it where a tracer or profiler of the application's ends the threading.Thread as it begins.
 */
struct thread;

/* NULL after a log record. GIL held; others may have it meanwhile. */
struct thread *threads_start(const char *name, void (*run)(void *context), void *context);
/* Waits for its end, for a moment: `run` is about to return, or has. True: it has ended. False: it is left to the end of the process.
 * `thread` is gone. GIL held; others may have it meanwhile. */
bool threads_join(struct thread *thread);

#endif
