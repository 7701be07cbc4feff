/*
 * What the options say about the master's process itself: its directory, its user's name, its logs.
 */
#ifndef SETUP_PROCESS_H
#define SETUP_PROCESS_H

#include <stddef.h>

#include "access/log.h"
#include "options/options.h"
#include "options/options_parse.h"

/* Does it, once, at the start; the log says "master" from then on. `access_log`: NULL when none is wanted. 0, or -1 with one sentence in
 * `message`, for standard error. */
int process_apply(struct options *options, struct access_log **access_log, char *message, size_t size);

/* Does as much of it as can be done. Each sentence goes to `complain`, and is counted. */
void process_apply_all(struct options *options, void (*complain)(const char *message),
                       struct mistakes *mistakes);

#endif
