/*
 * The Python stack of a running thread, taken without the GIL and without help of the thread. A
 * signal to the thread runs Python's faulthandler, which writes the frames to a pipe.
 */
#ifndef PY_STACK_H
#define PY_STACK_H

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

/* Threads that run Python must not block it. */
#define STACK_SIGNAL (SIGRTMAX - 3)
/* Sent to the process to see the stacks of all threads; ignored before stack_on_request. */
#define STACKS_SIGNAL (SIGRTMAX - 4)

/* Makes crashes write the stacks of all threads to `fd`. GIL held. 0, or -1 after a log record. */
int stack_on_crash(int fd);

/* Makes STACKS_SIGNAL write them there, too; the process continues. GIL held. 0, or -1 after a log
 * record. */
int stack_on_request(int fd);

/* Prepares stacks of threads that continue. Once per process, GIL held. 0, or -1 after a log
 * record. */
int stack_init(void);

/* Makes stack_request return the stacks of all threads, each with its number. GIL held. 0, or -1
 * after a log record. */
int stack_of_all_threads(void);

/* Unblocks the signals of stacks in the calling thread, so that its stack can be taken whatever
 * signals a call has blocked. One system call. */
void stack_unblock(void);

/* Requests a stack. Only one request at a time: unread output of the one before is lost. The thread
 * must exist. */
void stack_request(pthread_t thread);

/* Reads the output so far: a frame a line, the innermost first. It is complete a few milliseconds
 * after the request. Returns the number of bytes; 0 when the thread has not handled the signal. */
size_t stack_receive(char *out, size_t room);

#endif
