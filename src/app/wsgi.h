/*
 * The handler that calls the WSGI application. It joins an exchange (net) with a call (py), which
 * do not know each other.
 */
#ifndef APP_WSGI_H
#define APP_WSGI_H

#include "net/exchange.h"
#include "py/call.h"

struct wsgi;

/* Each thread of the application has one, which notes its calls in `call`. Needs the GIL, after
 * call_init. */
struct wsgi *wsgi_new(struct application *application, struct scoreboard_call *call);
void wsgi_free(struct wsgi *wsgi); /* NULL is fine; needs the GIL */

/* The context is the struct wsgi. `run` needs the GIL. */
extern const struct handler wsgi_handler;

#endif
