/*
 * environ (PEP 3333, "environ Variables"): from a parsed request to a dict.
 *
 * A header section that is in the memo carries a ready dict; a request that repeats it costs a PyDict_Copy, after writing into
 * that dict only what differs from the request before (path, client, ...). The application gets a dict of its own each time
 * and may do with it what it likes.
 */
#ifndef PY_ENVIRON_H
#define PY_ENVIRON_H

#include <stdbool.h>

#include "options/options.h"
#include "py/call_request.h"
#include "py/compat.h"

/* Builds the constants; once, after the interpreter has started. 0, or -1 with an exception. */
int environ_init(const struct options *options, bool multiprocess);

/* A new reference, or NULL with an exception. Moves call->content into wsgi.input. `client_disconnected` is a responder's
 * (py/start_response.h). */
PyObject *environ_new(const struct call_request *call, PyObject *client_disconnected);

/* Sections may go without the GIL, and leave what was kept with them to be freed here; environ_new does it too. */
void environ_free_discarded(void);

#endif
