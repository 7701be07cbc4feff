/*
 * Requests that the worker answers itself, in the event loop, and never the application:
 *
 * --health-path: PREFIX/live and PREFIX/ready. Live: the worker answers. Ready: the worker takes
 * requests. It does not while it drains, nor for two seconds after a request has waited for a
 * thread longer than --queue-timeout allows.
 *
 * --reload: the code that was saved last cannot be loaded. The workers keep the application as it
 * was. If they answered with it, a developer at a browser would wonder why nothing changes. So
 * every request gets 500 and the reason, with the traceback, as plain text, until a reload
 * succeeds. A worker that was replaced meanwhile and has loaded the application shows the
 * application.
 */
#ifndef APP_WORKER_ANSWERS_H
#define APP_WORKER_ANSWERS_H

#include "net/exchange.h"

/* For a loop that has just been made: it gives these answers from here on, as far as the options
 * ask for them. `failed_reload` must outlive the loop. Failures numbered up to `failed_reloads` do
 * not matter to this worker. */
void worker_answers_open(struct loop *loop, const struct scoreboard_failed_reload *failed_reload,
                         uint32_t failed_reloads);

#endif
