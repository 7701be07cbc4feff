/*
 * gateway.RequestTimeout: an exception for a thread whose call has passed its deadline. It is a
 * BaseException like SystemExit, so that "except Exception" does not catch it.
 */
#ifndef PY_INTERRUPT_H
#define PY_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>

/* Call once per process, GIL held. 0, or -1 after a log record. */
int interrupt_init(void);

/* Waits for the GIL, and raises the exception in `thread` if `is_due` is true then. The exception
 * takes effect at the thread's next step of Python code. Any thread that does not run Python. */
void interrupt_raise(pthread_t thread, bool (*is_due)(void *context), void *context);

/* Cancels an exception that has not taken effect in the calling thread. GIL held. */
void interrupt_forget(void);

/* Whether the present exception is a RequestTimeout. GIL held. */
bool interrupt_is_under_way(void);

#endif
