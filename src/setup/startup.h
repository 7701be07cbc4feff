/*
 * The start: resolves what the options leave to the machine, and applies what they say about this
 * process (its directory, its user, its logs). A reload resolves and checks its options likewise.
 *
 * Only the master calls these, and --check-config. Messages are one sentence, for standard error.
 */
#ifndef SETUP_STARTUP_H
#define SETUP_STARTUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "access/log.h"
#include "options/options.h"
#include "options/options_parse.h"

/*
 * Applies the options to this process, once. The log says "master" from then on. *access_log is
 * the caller's, and NULL when the options ask for none. 0, or -1 with one sentence in `message`.
 */
int startup_apply(struct options *options, struct access_log **access_log, char *message, size_t size);

/* Applies as much as possible. Passes each sentence to `complain`, and counts it. */
void startup_apply_all(struct options *options, void (*complain)(const char *message),
                       struct mistakes *mistakes);

/*
 * Makes the names of files absolute. Call directory_begin first. The name of the env file stays:
 * a worker looks for it in the directory that it has entered.
 */
void startup_resolve_paths(struct options *options);

/*
 * Checks that no --reload-extra-file is a directory: the watch would notice no file in it.
 * 0, or -1 with one sentence in `message`.
 */
int startup_check_extra_files(const struct options *options, char *message, size_t size);

/*
 * Checks that each worker can do what --env and --env-file say. The file is opened as --user, who
 * may be unable to follow links that root follows. 0, or -1 with one sentence in `message`.
 */
int startup_check_environment(const struct options *options, char *message, size_t size);

/*
 * Returns the soft limit of open files that the service needs, for `connections` of a worker
 * (0: the options give no number). The result is at least the inherited limit. The result is no
 * larger than needed, because the application's children inherit the limit.
 */
rlim_t startup_descriptors(const struct rlimit *inherited, int64_t connections);

/*
 * Resolves the options that depend on the machine: workers and worker_connections. `reason`
 * becomes the reason for the number of workers, in a few words.
 */
void startup_resolve(struct options *options, char *reason, size_t size);

/* Warns of options that are valid, but perhaps not intended. */
void startup_warn(const struct options *options);

/* Warns of options that the kernel's limits cut. `chosen`: the user gave --worker-connections. */
void startup_warn_of_limits(const struct options *options, bool chosen);

#endif
