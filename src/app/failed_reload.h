/*
 * --reload: what was saved last cannot be loaded. The workers go on as they were, but to answer with the application as it was before
 * would leave whoever looks at it in a browser to wonder why nothing changes: every request gets 500 and the reason, traceback and
 * all, as plain text, until a reload succeeds. One that has loaded the application since, because it was replaced, shows the application.
 */
#ifndef APP_FAILED_RELOAD_H
#define APP_FAILED_RELOAD_H

#include "net/exchange.h"

/* For a new loop: from here on it answers what is not for the application, which is this with --reload, and --health-path. `failed_reload`
 * must outlive it; those up to `failed_reloads` do not matter. */
void failed_reload_open(struct loop *loop, const struct scoreboard_failed_reload *failed_reload,
                        uint32_t failed_reloads);

/* In the loop: true when there is one, and the request has been answered. Never without the option. */
bool failed_reload_answer(struct exchange *exchange);

#endif
