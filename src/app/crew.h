/*
 * The crew: who runs the application's calls. With one thread it is the main thread, which also runs the event loop: between two
 * turns of the loop it takes the GIL once and runs what is ready, outside the event base, for about a millisecond.
 */
#ifndef APP_CREW_H
#define APP_CREW_H

#include "net/loop.h"

/* Runs ready requests; returns when none is left or the loop should have a turn. Without the GIL; takes it only if there is
 * something to run. */
void crew_run(struct loop *loop);

#endif
