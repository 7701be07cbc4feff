/*
 * --check-config: tells on standard error whether the service would start, without starting it.
 *
 * The check does not listen, and leaves nothing behind but log files, which it opens. A place that
 * a running service has is no mistake. With an upgrade state (upgrade/upgrade_state.h) the check
 * tells whether this program could carry the service on.
 */
#ifndef SETUP_CHECK_H
#define SETUP_CHECK_H

#include "options/options.h"
#include "options/options_parse.h"
#include "upgrade/upgrade_state.h"

/*
 * Tells all that is wrong, beside the mistakes in the options that have been told already. Loads
 * the application as --user, unless a mistake may concern it. Frees `saved`, which may be NULL.
 * Returns the exit status that the service would fail with, or EXIT_STOPPED (0).
 */
int check_main(struct options *options, struct mistakes *mistakes, struct upgrade_state *saved);

#endif
