/*
 * environ (PEP 3333, "environ Variables"): a dict made of a parsed request. GIL held.
 *
 * A header section in the memo carries a template, a complete dict. For a request with that
 * section, the differences from the last request (path, client, ...) are written into the template.
 * Then the application gets a copy (PyDict_Copy), which it may change.
 */
#ifndef PY_ENVIRON_H
#define PY_ENVIRON_H

#include <stdbool.h>

#include "options/options.h"
#include "py/call_request.h"
#include "py/compat.h"

/* Builds the constants; once, after the start of the interpreter. 0, or -1 with an exception. */
int environ_init(const struct options *options, bool multiprocess);

/* A new reference, or NULL with an exception. Moves call->content into wsgi.input.
 * `client_disconnected` comes from py/start_response.h. */
PyObject *environ_new(const struct call_request *call, PyObject *client_disconnected);

/* Frees templates of sections that were dropped without the GIL. environ_new does it, too. */
void environ_free_discarded(void);

#endif
