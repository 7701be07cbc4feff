/*
 * Calls that last: --slow-request.
 *
 * Whoever runs the loop looks at the calls of the other threads, by a timer that is armed only while such calls run; a call
 * that lasts has lost the loop to somebody by then. What it finds it logs, with the Python stack of the call's thread.
 */
#ifndef APP_DEADLINE_H
#define APP_DEADLINE_H

#include "net/loop.h"

struct deadline;

/* `calls`: the record of each thread. After stack_init. */
struct deadline *deadline_new(struct loop *loop, const struct scoreboard_call *calls, unsigned threads);
void deadline_free(struct deadline *deadline); /* NULL is fine */

/* The calling thread is this one. Before its first call. */
void deadline_join(struct deadline *deadline, unsigned thread);

/* With the baton, just taken from a call that lasts: looks at the calls until none runs. */
void deadline_watch(struct deadline *deadline);

#endif
