/*
 * The master: no Python in it. It owns the listening sockets and the scoreboard, forks the workers, watches them, replaces
 * those that die (fleet/fleet.h has the rules), and stops them all. It parses no HTTP and never sleeps in a call.
 */
#ifndef MASTER_MASTER_H
#define MASTER_MASTER_H

#include "access/log.h"
#include "options/options.h"
#include "upgrade/upgrade_state.h"

/* First of all: what is sent while the master is not ready waits until it is. */
void master_hold_signals(void);

/* `saved`: what was left to this program, which is freed; NULL: nothing. Returns the exit status of the program. */
int master_main(struct options *options, struct access_log *access_log, struct upgrade_state *saved);

#endif
