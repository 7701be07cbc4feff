/*
 * --env and --env-file: the variables in the environment of the application's process.
 */
#ifndef OPTIONS_ENVIRONMENT_H
#define OPTIONS_ENVIRONMENT_H

#include <stddef.h>

#include "options/options.h"

/* Whether environment_apply would succeed. The master calls it and keeps its own environment, so
 * that each new worker gets the file's content of that time. 0, or -1 with one sentence in
 * `message`. */
int environment_check(const struct options *options, char *message, size_t message_size);
/* Sets the variables of the file, then those of the command line, in this process. 0, or -1 with
 * one sentence in `message`. The file has NAME=VALUE lines. Empty lines and lines that begin with #
 * are skipped. A line may begin with "export ". A value may be in single or double quotes. Call
 * before other threads start. */
int environment_apply(const struct options *options, char *message, size_t message_size);

#endif
