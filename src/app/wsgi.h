/*
 * The handler that asks the WSGI application: joins an exchange (net) with a call (py), which know nothing of each other.
 */
#ifndef APP_WSGI_H
#define APP_WSGI_H

#include "net/exchange.h"
#include "py/call.h"

struct wsgi;

/* One per app thread, which notes its calls in `call`. After call_init. GIL held. */
struct wsgi *wsgi_new(struct application *application, struct scoreboard_call *call);
void wsgi_free(struct wsgi *wsgi); /* NULL is fine; GIL held */

/* Its context is the struct wsgi; run needs the GIL. */
extern const struct handler wsgi_handler;

#endif
