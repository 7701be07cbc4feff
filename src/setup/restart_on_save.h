/*
 * --reload, when the application cannot be loaded at the very start.
 *
 * Then no worker serves, and the master does not know which files would have been imported. The
 * program waits until Python source is saved where the application is looked for, or a file that a
 * reload watches. Then it starts once more, from the beginning.
 */
#ifndef SETUP_RESTART_ON_SAVE_H
#define SETUP_RESTART_ON_SAVE_H

#include <time.h>

#include "options/options.h"

/*
 * Waits for a save, then executes the program again. The caller has closed the service before.
 * `begun` is the wall-clock time of the start. Returns an exit status only when the program is not
 * executed: a signal stopped the wait (INT, TERM, QUIT), watching or execution failed, which is
 * logged, or the sockets were passed to the program, and are closed by this time.
 */
int restart_on_save(const struct options *options, const struct timespec *begun);

#endif
