/*
 * A worker's signals, and what becomes of them in a process that the application forks: that lets go of what is the service's,
 * and is stopped by what stops any process, where our handlers would tell this worker instead.
 */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

#include "net/loop.h"
#include "worker/worker_setup.h"

/* TERM, INT, QUIT: what those send who stop a whole process group. */
enum { STOP_SIGNALS = 3 };
extern const int stop_signals[STOP_SIGNALS];

/* Before the application is imported, once, with all signals blocked: unblocks them. `setup` must outlive the process. */
void signals_for_boot(const struct worker_setup *setup);

/* A zygote that waits for work: who stops a whole process group means the master, which ends its zygotes itself. */
void signals_for_zygote(void);
/* Around a fork that makes a worker: what becomes of the application's forks does not become of it, and no signal comes, in the
 * zygote until signals_release, in the worker until signals_for_worker. */
void signals_hold(void);
void signals_release(void);
void signals_for_worker(const struct worker_setup *setup); /* which must outlive the process */

/* The handlers for stop_signals, which are blocked no more, are from now on those that the loop has installed; children let go of its connections. NULL: it
 * is gone. */
void signals_are_the_loops(const struct loop *loop);

/* Unblocks the signals that are the worker's, and puts the loop's handlers, those for stacks and the descriptor to which Python writes back where the application has put others. On
 * the main thread, GIL held. Other handlers are told, once. */
void signals_put_back(void *unused);

/* For the end of Python, when the loop has no signals any more: TERM says nothing new, each INT and QUIT makes the descriptor that is returned
 * readable (an eventfd). -1 and errno: they are ignored, too. */
int signals_for_the_end(void);

#endif
