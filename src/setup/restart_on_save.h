/*
 * --reload, when the application cannot be loaded at the very start. Then nobody serves, and nobody knows what would have been imported
 * once that is mended: so it is waited until Python source is saved where the application is looked for, or one of the files that a reload
 * watches, and the program is started once more, from the beginning.
 */
#ifndef SETUP_RESTART_ON_SAVE_H
#define SETUP_RESTART_ON_SAVE_H

#include <time.h>

#include "options/options.h"

/* After the service has let go of everything; `begun` is when it was started, by the wall clock. Does not return when the program is
 * started. Otherwise the exit status: it was told to stop (INT, TERM, QUIT), or nothing can be watched, or executed, which is logged; or its
 * sockets were passed to it, and are closed by now. */
int restart_on_save(const struct options *options, const struct timespec *begun);

#endif
