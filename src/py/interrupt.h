/*
 * gateway.RequestTimeout: raised in a thread whose call has passed its deadline. A BaseException, as SystemExit is, so that
 * "except Exception" does not take it for an error of the application's own.
 */
#ifndef PY_INTERRUPT_H
#define PY_INTERRUPT_H

#include <pthread.h>
#include <stdbool.h>

/* Once per process, GIL held. 0, or -1 after a log record. */
int interrupt_init(void);

/* Waits for the GIL, from any thread that does not run Python, and raises it in `thread` if `is_due` says so then. It takes
 * effect at the thread's next step of Python code. */
void interrupt_raise(pthread_t thread, bool (*is_due)(void *context), void *context);

/* GIL held: what was raised in the calling thread and has not taken effect is forgotten. */
void interrupt_forget(void);

/* GIL held: the exception under way is a RequestTimeout. */
bool interrupt_is_under_way(void);

#endif
