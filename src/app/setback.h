/*
 * --reload: what was saved last cannot be loaded. The workers go on as they were, but to answer with the application as it was before
 * would leave whoever looks at it in a browser to wonder why nothing changes: every request gets 500 and the reason, traceback and
 * all, as plain text, until a reload succeeds. One that has loaded the application since, because it was replaced, shows the application.
 */
#ifndef APP_SETBACK_H
#define APP_SETBACK_H

#include "net/exchange.h"

/* For a new loop: from here on it answers what is not for the application, which is this with --reload, and --health-path. `setback`
 * must outlive it; those up to `setbacks` do not matter. */
void setback_open(struct loop *loop, const struct scoreboard_setback *setback, uint32_t setbacks);

/* In the loop: true when there is one, and the request has been answered. Never without the option. */
bool setback_answer(struct exchange *exchange);

#endif
