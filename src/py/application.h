/*
 * The user's application: found by its name, imported, checked.
 */
#ifndef PY_APPLICATION_H
#define PY_APPLICATION_H

#include "base/log.h"

struct application;

/*
 * `spec` is MODULE[:CALLABLE]: CALLABLE defaults to "application", then "app"; dotted attributes, "factory()" and
 * "factory("arg", key=1)" with literal arguments work. GIL held.
 * What may be a mistake is told at the level `warnings`: one of several workers is enough to warn of it.
 * NULL after exactly one log record: module not found (with the sys.path searched and a hint), a .py suffix or a path given
 * in the place of a module, attribute not found (with the nearest name), not callable, an async application, or the
 * application's own exception with only its own frames.
 */
struct application *application_load(const char *spec, enum log_level warnings);

/* Lets go of the callable, before interp_stop. NULL is fine. GIL held. */
void application_free(struct application *application);

/* Collects garbage and freezes what is left (gc.freeze), once the application is loaded. interp_stop undoes it. */
void application_settle(void);

#endif
