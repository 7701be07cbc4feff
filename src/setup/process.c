/* What the options say about this process itself. */
#include "setup/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "base/place.h"
#include "proc/directory.h"
#include "proc/privileges.h"
#include "setup/startup.h"
#include "setup/tmp_dir.h"

enum { MESSAGE_SIZE = 1024 };

static int enter_directory(struct options *options, struct access_log **access_log, char *message,
                           size_t size)
{
    (void)access_log;
    if (directory_begin(options->chdir) == 0) {
        startup_resolve_paths(options);
        return 0;
    }
    snprintf(message, size, "gateway: --chdir: %s: %s", options->chdir, place_strerror(errno));
    return -1;
}

static int look_at_extra_files(struct options *options, struct access_log **access_log, char *message,
                               size_t size)
{
    (void)access_log;
    return startup_check_extra_files(options, message, size);
}

static int look_at_environment(struct options *options, struct access_log **access_log, char *message,
                               size_t size)
{
    (void)access_log;
    return startup_check_environment(options, message, size);
}

static int find_user(struct options *options, struct access_log **access_log, char *message, size_t size)
{
    (void)access_log;
    if (privileges_resolve(options, message, size) < 0)
        return -1;
    if (options->umask != NULL)
        umask((mode_t)strtoul(options->umask, NULL, 8));
    if (privileges_user() != (uid_t)-1)
        log_files_belong_to(privileges_user());
    return 0;
}

static int try_tmp_dir(struct options *options, struct access_log **access_log, char *message, size_t size)
{
    (void)access_log;
    return tmp_dir_check(options, message, size);
}

static int open_log(struct options *options, struct access_log **access_log, char *message, size_t size)
{
    (void)access_log;
    const struct log_options log = {.path = options->error_logfile,
                                    .level = (enum log_level)options->log_level,
                                    .json = options->log_format == 1};
    if (log_open(&log) < 0) {
        snprintf(message, size, "gateway: --error-logfile: %s: %s", log.path, place_strerror(errno));
        return -1;
    }
    log_identify("master");
    return 0;
}

static int open_access_log(struct options *options, struct access_log **access_log, char *message,
                           size_t size)
{
    if (options->access_logfile == NULL)
        return 0;
    *access_log = access_log_open(options->access_logfile, options->access_logformat, message, size);
    return *access_log != NULL ? 0 : -1;
}

/* In this order: a relative name is one in the directory, and files are read and made as the user. */
static int (*const steps[])(struct options *options, struct access_log **access_log, char *message,
                            size_t size) = {
    find_user,   enter_directory, look_at_environment, look_at_extra_files,
    try_tmp_dir, open_log,        open_access_log,
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]), STEPS_FOR_APPLICATION = 3 };

int process_apply(struct options *options, struct access_log **access_log, char *message, size_t size)
{
    *access_log = NULL;
    for (size_t i = 0; i < STEPS; i++)
        if (steps[i](options, access_log, message, size) < 0)
            return -1;
    return 0;
}

void process_apply_all(struct options *options, void (*complain)(const char *message),
                       struct mistakes *mistakes)
{
    char message[MESSAGE_SIZE];
    struct access_log *access_log = NULL;
    for (size_t i = 0; i < STEPS; i++)
        if (steps[i](options, &access_log, message, sizeof(message)) < 0) {
            complain(message);
            mistakes->count++;
            mistakes->application |= i < STEPS_FOR_APPLICATION;
        }
    access_log_free(access_log);
}
