/*
 * Calls that last: --slow-request and --timeout; and whether anybody still waits for their answers.
 *
 * Whoever runs the loop looks at the calls of the other threads, by a timer that is armed only while such calls run; a call
 * that lasts has lost the loop to somebody by then. The clients of those calls, and of the requests that wait behind them, are
 * watched from then on (net/presence.h). What is slow is logged, with the Python stack of the call's thread. At
 * --timeout it also answers 504 in the application's place (or cuts an answer that has begun) and has gateway.RequestTimeout
 * raised in the thread. A call that has not returned --graceful-timeout after that is stuck.
 */
#ifndef APP_DEADLINE_H
#define APP_DEADLINE_H

#include "net/exchange.h"

struct deadline;

/* `calls`: the record of each thread. `stuck` is called with the baton, again and again while calls are stuck. After stack_init
 * and interrupt_init. */
struct deadline *deadline_new(struct loop *loop, const struct scoreboard_call *calls, unsigned threads,
                              void (*stuck)(void *context), void *context);
void deadline_free(struct deadline *deadline); /* NULL is fine */

/* Around each call, in its thread, with the GIL. */
void deadline_begin(struct deadline *deadline, unsigned thread, struct exchange *exchange);
void deadline_end(struct deadline *deadline, unsigned thread);

/* With the baton, just taken from a call that lasts: looks at the calls until none runs. */
void deadline_watch(struct deadline *deadline);
/* How many calls are stuck; with the baton. */
unsigned deadline_stuck(const struct deadline *deadline);

#endif
