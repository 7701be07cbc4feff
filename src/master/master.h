/*
 * The master: runs no Python. The master owns the listening sockets and the scoreboard, forks the
 * workers, watches them, replaces workers that die (fleet/fleet.h has the rules), and stops them
 * all. The master parses no HTTP and never waits in a call.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "access/log.h"
#include "options/options.h"
#include "upgrade/upgrade_state.h"

/* Holds signals back until the master can obey them. The program calls this first. */
void master_hold_signals(void);

/*
 * Runs the service. `saved` is the upgrade state of the program before, which is freed; NULL: there
 * is none. Returns the exit status of the program.
 */
int master_main(struct options *options, struct access_log *access_log, struct upgrade_state *saved);

#endif
