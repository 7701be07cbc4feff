/*
 * --check-config: whether the service would start, told on standard error, without starting it. Nothing listens, is written or left
 * behind, but for log files, which are opened; and what a running service has is no mistake. With an upgrade state (upgrade/upgrade_state.h), whether this program could carry the service on.
 */
#ifndef SETUP_CHECK_H
#define SETUP_CHECK_H

#include "options/options.h"
#include "options/options_parse.h"
#include "upgrade/upgrade_state.h"

/* Tells all that is wrong, beside the mistakes in the options that have been told already, and loads the application as --user, unless a
 * mistake may concern that. The upgrade state, which may be NULL, is freed. The exit status that the service would have failed with, or 0. */
int check_main(struct options *options, struct mistakes *mistakes, struct upgrade_state *saved);

#endif
