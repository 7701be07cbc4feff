/*
 * Threads: those that this process has besides the calling one, which a fork loses; and those that
 * run the application.
 */
#ifndef PY_THREADS_H
#define PY_THREADS_H

#include <stdbool.h>

#include "options/listing.h"

/* Imports `threading` in the main thread: the module takes the first importing thread for the main
 * one. 0, or -1 after a log record. GIL held. */
int threads_init(void);

/* Adds each thread in quotation marks: by its name in threading, else by the kernel's name, because
 * C libraries have threads, too. GIL held. */
void threads_list(struct listing *listing);

/*
 * A thread that calls `run` without the GIL, and may call gil_take there. For Python it is a
 * threading.Thread of that name, so that tracers, profilers and debuggers see it. The end of Python
 * waits only for threads that the application starts in it. Python does not know the thread in two
 * cases: the application has replaced Python's threads (gevent and eventlet do), or a tracer or
 * profiler has ended the threading.Thread at its start.
 */
struct thread;

/* NULL after a log record. GIL held; it may be released meanwhile. */
struct thread *threads_start(const char *name, void (*run)(void *context), void *context);
/* Waits a moment for the end of a thread whose `run` returns. True: it has ended. False: it is
 * left to the end of the process. Frees `thread` in both cases. GIL held; it may be released
 * meanwhile. */
bool threads_join(struct thread *thread);

#endif
