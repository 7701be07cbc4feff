/*
 * The user's application: found by its name, imported and checked. No Python.h: proc/ and worker/
 * include it.
 */
#ifndef PY_APPLICATION_H
#define PY_APPLICATION_H

#include "base/log.h"

struct application;

/*
 * `spec` is MODULE[:CALLABLE]. CALLABLE defaults to "application", then "app". Dotted attributes,
 * "factory()" and "factory("arg", key=1)" with literal arguments work. GIL held. Possible mistakes
 * are logged at the level `warnings`: one of several workers is enough for a warning. NULL after
 * exactly one log record: module not found (with the sys.path searched and a hint), a .py suffix or
 * a path in place of a module, attribute not found (with the nearest name), not callable, an async
 * application, or the application's own exception with only its own frames. The caller owns the
 * application.
 */
struct application *application_load(const char *spec, enum log_level warnings);

/* Releases the callable. Call before interp_stop. NULL is fine. GIL held. */
void application_free(struct application *application);

/* Collects garbage and freezes the remaining objects (gc.freeze), once the application is loaded.
 * interp_stop undoes it. GIL held. */
void application_freeze(void);

#endif
