/*
 * A worker's signals, and what happens to them in a process that the application forks. Such a
 * process closes the descriptors of the service. Signals stop it as they stop any process: our
 * handlers would tell this worker instead. The handlers are the process's own.
 */
#ifndef WORKER_SIGNALS_H
#define WORKER_SIGNALS_H

#include "net/loop.h"
#include "worker/worker_setup.h"

/* TERM, INT, QUIT: the signals that stop a whole process group. */
enum { STOP_SIGNALS = 3 };
extern const int stop_signals[STOP_SIGNALS];

/* Unblocks the signals, all of which are blocked, once, before the application is imported. `setup`
 * must outlive the process. */
void signals_for_boot(const struct worker_setup *setup);

/* A zygote that waits for work: a signal to the whole process group is meant for the master, which
 * ends its zygotes itself. */
void signals_for_zygote(void);
/* Around a fork that makes a worker. The worker keeps what a process that the application forks
 * would close. No signal comes, in the zygote until signals_release, in the worker until
 * signals_for_worker. */
void signals_hold(void);
void signals_release(void);
void signals_for_worker(const struct worker_setup *setup); /* which must outlive the process */

/* The handlers for stop_signals, which are blocked no more, are the loop's from then on. Processes
 * that the application forks close the loop's connections. NULL: the loop is gone. */
void signals_are_the_loops(const struct loop *loop);

/* Puts back what the application has replaced: unblocks the worker's signals, and restores the
 * loop's handlers, those for stacks and the descriptor to which Python writes. A handler of the
 * application's is reported once. On the main thread, GIL held. */
void signals_put_back(void *unused);

/* For the end of Python, when the loop has no signals any more: ignores TERM. Each INT and QUIT
 * makes the returned descriptor readable (an eventfd). -1 and errno: INT and QUIT are ignored
 * too. */
int signals_for_the_end(void);

#endif
