/*
 * --reload: the worker of the first slot watches the files of its code, and the
 * --reload-extra-file. When a file has been saved it asks the master for a reload, and watches on:
 * the new code may be no good, and the next change may mend it.
 *
 * It belongs to the thread that runs the loop, with exceptions that are named. NULL is a reloader
 * that does nothing.
 */
#ifndef WORKER_RELOADER_H
#define WORKER_RELOADER_H

#include <stdbool.h>

#include "app/crew.h"
#include "worker/worker_setup.h"

struct reloader;

/* Before the first connection. NULL without --reload, and where another slot's worker watches. GIL
 * held. */
struct reloader *reloader_new(const struct worker_setup *setup);
/* Begins to watch. Asks for a reload at once if a file was saved while the application was
 * imported. Call it before the worker says that it is ready: the master then counts this reload
 * as one with those that the predecessor asks for. */
void reloader_begin(struct reloader *reloader, struct loop *loop);
/* Stops watching: another worker watches, or none. */
void reloader_stop(struct reloader *reloader);
void reloader_free(struct reloader *reloader);

/* True when it is time to look for modules that were imported since. reloader_look does that, in
 * the main thread while it has the baton. */
bool reloader_is_due(const struct reloader *reloader);
void reloader_look(struct reloader *reloader, struct crew *crew);

#endif
