/*
 * The configuration: where the options come from (file, environment, command line), at the start and again at a reload.
 *
 * options->config is then the file that was read, absolute; NULL when there was none.
 *
 * The file is read by a child, in which Python's tomllib does it (py/settings.h): the master runs no Python.
 */
#ifndef SETUP_CONFIGURATION_H
#define SETUP_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "options/options_parse.h"
#include "proc/helper_process.h"
#include "upgrade/upgrade_state.h"

/* At the start, before the working directory changes; waits for the file to be read. argc and argv must stay. As options_parse. */
int configuration_read(struct options *options, int argc, char *const *argv, char *message, size_t size);

/* For --check-config: all that is wrong goes to `complain`, sentence by sentence, and is counted. */
void configuration_check(struct options *options, int argc, char *const *argv,
                         void (*complain)(const char *message), struct mistakes *mistakes);
/* For --print-config, to standard output. As options_parse. */
int configuration_print(int argc, char *const *argv, char *message, size_t size);

/* What the next program gets (upgrade/upgrade_state.h), in case the file cannot be used when it starts, although it was good when that was
 * checked: what it said before. configuration_load comes after configuration_read, which has failed. As options_parse. */
void configuration_save(struct upgrade_state *saved);
int configuration_load(struct options *options, const struct upgrade_state *saved, char *message,
                       size_t size);

/* Again, without waiting. configuration_begin: 1 when the helper process has started, at whose end configuration_end is called; 0 when there is
 * no file (now); -1 with one sentence in `message`. */
int configuration_begin(struct helper_process *helper, char *message, size_t size);
/* With the helper process's status, as of waitpid; NULL, 0 when there was no file. As options_parse. */
int configuration_end(const struct helper_process *helper, int status, struct options *options, char *message,
                      size_t size);

#endif
