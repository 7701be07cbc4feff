/*
 * --health-path: PREFIX/live and PREFIX/ready, answered by whoever runs the loop, never by the application.
 *
 * Live: the worker answers. Ready: it takes requests; not while it drains, nor for two seconds after a request waited longer for a
 * thread than --queue-timeout allows.
 */
#ifndef APP_HEALTH_H
#define APP_HEALTH_H

#include "net/exchange.h"

/* In the loop: true when it was such a request, and has been answered. Never without the option. */
bool health_answer(struct exchange *exchange);

#endif
