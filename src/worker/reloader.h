/*
 * --reload: the worker of the first slot watches the files that its code is from, and the --reload-extra-file. When one has been saved
 * it asks the master for a reload, and watches on: the new code may be no good, and what mends it is the next change.
 *
 * It belongs to whoever runs the loop, but for what is said. NULL is one that does nothing.
 */
#ifndef WORKER_RELOADER_H
#define WORKER_RELOADER_H

#include <stdbool.h>

#include "app/crew.h"
#include "worker/worker_setup.h"

struct reloader;

/* Before the first connection. NULL without --reload, and where another slot's worker watches. GIL held. */
struct reloader *reloader_new(const struct worker_setup *setup);
/* Asks at once if something has been saved while the application was imported. Before the worker says that it is ready: a reload
 * that is wanted by then is one with those that its predecessor wants. */
void reloader_begin(struct reloader *reloader, struct loop *loop);
/* No more: somebody else watches, or nobody. */
void reloader_stop(struct reloader *reloader);
void reloader_free(struct reloader *reloader);

/* It is time to see what has been imported since: for the main thread, which has the baton. */
bool reloader_is_due(const struct reloader *reloader);
void reloader_look(struct reloader *reloader, struct crew *crew);

#endif
