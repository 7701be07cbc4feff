/*
 * Calls that last: --slow-request and --timeout; and clients that give up waiting for such calls.
 *
 * A call that lasts has lost the loop to another thread. The thread that runs the loop looks at the
 * calls of the others, with a timer that is armed only while such calls run. From then on the
 * clients of these calls, and of the requests that wait behind them, are watched (net/presence.h).
 *
 * A slow call is logged, with the Python stack of its thread. At --timeout the client also gets 504
 * in the application's place (or an answer that has begun is cut), and gateway.RequestTimeout is
 * raised in the thread. A call is stuck when it has not returned --graceful-timeout later.
 */
#ifndef APP_DEADLINE_H
#define APP_DEADLINE_H

#include "net/exchange.h"

struct deadline;

/* `calls` has the record of each thread. `stuck` is called with the baton, again and again while
 * calls are stuck. Call this after stack_init and interrupt_init. */
struct deadline *deadline_new(struct loop *loop, const struct scoreboard_call *calls, unsigned threads,
                              void (*stuck)(void *context), void *context);
void deadline_free(struct deadline *deadline); /* NULL is fine */

/* Around each call, in its thread, with the GIL. */
void deadline_begin(struct deadline *deadline, unsigned thread, struct exchange *exchange);
void deadline_end(struct deadline *deadline, unsigned thread);

/* With the baton: looks at the calls of the other threads until none runs. */
void deadline_watch(struct deadline *deadline);
/* With the baton: the number of calls that are stuck. */
unsigned deadline_stuck(const struct deadline *deadline);

#endif
