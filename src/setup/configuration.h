/*
 * The configuration: where the options come from (file, environment, command line), at the start
 * and again at a reload.
 *
 * options->config becomes the absolute path of the file that was read; NULL when there was no file.
 *
 * A child reads the file with Python's tomllib (py/settings.h): the master runs no Python.
 */
#ifndef SETUP_CONFIGURATION_H
#define SETUP_CONFIGURATION_H

#include <stdbool.h>
#include <stddef.h>

#include "options/options_parse.h"
#include "proc/helper_process.h"
#include "upgrade/upgrade_state.h"

/*
 * Reads the configuration at the start, before the working directory changes. Waits for the reader.
 * argc and argv must stay valid. Returns as options_parse does.
 */
int configuration_read(struct options *options, int argc, char *const *argv, char *message, size_t size);

/* For --check-config: passes each mistake to `complain` as one sentence, and counts it. */
void configuration_check(struct options *options, int argc, char *const *argv,
                         void (*complain)(const char *message), struct mistakes *mistakes);
/* For --print-config: writes to standard output. Returns as options_parse does. */
int configuration_print(int argc, char *const *argv, char *message, size_t size);

/*
 * Saves what the file said, for the next program (upgrade/upgrade_state.h). The file was good when
 * the upgrade was checked, but may be bad when that program starts. configuration_load follows a
 * configuration_read that has failed. Returns as options_parse does.
 */
void configuration_save(struct upgrade_state *saved);
int configuration_load(struct options *options, const struct upgrade_state *saved, char *message,
                       size_t size);

/*
 * Starts another reading, without waiting. 1: the helper process has started, and the caller calls
 * configuration_end at its end. 0: there is no file. -1: one sentence in `message`.
 */
int configuration_begin(struct helper_process *helper, char *message, size_t size);
/*
 * Ends a reading. `status` is that of the helper process, as of waitpid. NULL and 0: there was no
 * file. Returns as options_parse does.
 */
int configuration_end(const struct helper_process *helper, int status, struct options *options, char *message,
                      size_t size);

#endif
