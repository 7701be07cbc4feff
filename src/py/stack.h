/*
 * The Python stack of a running thread, taken without the GIL and without the thread's help: a signal to it, whose handler is
 * Python's own faulthandler, writes the frames to a pipe.
 */
#ifndef PY_STACK_H
#define PY_STACK_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* Must not be blocked in threads that run Python. */
#define STACK_SIGNAL (SIGRTMAX - 3)
/* To the process, by whoever wants to see all of its threads; ignored until stack_on_request. */
#define STACKS_SIGNAL (SIGRTMAX - 4)

/* From now on a crash writes the stacks of all threads to `fd`. GIL held. 0, or -1 after a log record. */
int stack_on_crash(int fd);

/* From now on STACKS_SIGNAL writes them there too, and the process goes on. GIL held. 0, or -1 after a log record. */
int stack_on_request(int fd);

/* For the stacks of threads that go on. Once per process, GIL held. 0, or -1 after a log record. */
int stack_init(void);

/* From now on stack_request gives the stacks of all threads, each with its number. GIL held. 0, or -1 after a log record. */
int stack_of_all_threads(void);

/* In the calling thread, one system call: its stack can be had, whatever signals a call has blocked. */
void stack_unblock(void);

/* One at a time: what was not received of the one before is lost. The thread must exist. */
void stack_request(pthread_t thread);

/* What has been written of it, a frame a line, the innermost first; a few milliseconds after the request it is whole. The bytes
 * written to `out`; 0 when the thread has not got the signal. */
size_t stack_receive(char *out, size_t room);

#endif
