/*
 * --env and --env-file: what the application's process finds in its environment.
 */
#ifndef OPTIONS_ENVIRONMENT_H
#define OPTIONS_ENVIRONMENT_H

#include <stddef.h>

#include "options/options.h"

/* Whether environment_apply can do its work: for the master, whose own environment stays as it is, so that each new worker
 * finds what the file says then. 0, or -1 with one sentence in `message`. */
int environment_check(const struct options *options, char *message, size_t message_size);
/* Sets the variables of the file, then those of the command line, in this process. 0, or -1 with one sentence in `message`.
 * The file has NAME=VALUE lines; empty ones and those that begin with # are skipped, "export " in front is allowed, a value
 * may stand in single or double quotes. */
int environment_apply(const struct options *options, char *message, size_t message_size);

#endif
