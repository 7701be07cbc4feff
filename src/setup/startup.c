/* The start: what the options leave to this machine, and what they say about this process. */
#include "setup/startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "base/place.h"
#include "options/environment.h"
#include "options/unknown_options.h"
#include "proc/directory.h"
#include "proc/privileges.h"
#include "proc/resources.h"
#include "setup/tmp_dir.h"

/*
 * A quarter of the descriptor limit is for the application, and OWN_FILES are for the worker
 * itself.
 */
enum { APPLICATION_SHARE = 4, OWN_FILES = 16 };

/*
 * The limit that the service asks for when the options give no number of connections. The
 * application's children inherit it, and some close, or make a table of, as many descriptors.
 */
enum { FILES_UNASKED = 65536 };

/* Fewer connections than this are worth a warning, unless the user has chosen the number. */
enum { FEW_CONNECTIONS = 1000 };

/* A name becomes absolute because the application may change the directory later. */
static void make_absolute(char **path)
{
    if (*path == NULL || (*path)[0] == '/' || strcmp(*path, "-") == 0)
        return;
    char *absolute = xasprintf("%s/%s", directory_base(), *path);
    free(*path);
    *path = absolute;
}

void startup_resolve_paths(struct options *options)
{
    make_absolute(&options->tmp_dir);
    make_absolute(&options->control_socket);
    make_absolute(&options->error_logfile);
    make_absolute(&options->access_logfile);
    make_absolute(&options->pid_file);
    for (size_t i = 0; i < options->reload_extra_file.count; i++)
        make_absolute(&options->reload_extra_file.items[i]);
}

int startup_check_extra_files(const struct options *options, char *message, size_t size)
{
    const struct string_list *extra = &options->reload_extra_file;
    struct stat status;
    for (size_t i = 0; options->reload && i < extra->count; i++) {
        if (stat(extra->items[i], &status) < 0 || !S_ISDIR(status.st_mode))
            continue;
        snprintf(message, size, "gateway: --reload-extra-file: %s is a directory; name the files in it",
                 extra->items[i]);
        return -1;
    }
    return 0;
}

int startup_check_environment(const struct options *options, char *message, size_t size)
{
    if (options->env_file != NULL && privileges_begin_as_user() < 0) {
        snprintf(message, size, "gateway: --user: the user's rights cannot be taken: %s", strerror(errno));
        return -1;
    }
    int r = environment_check(options, message, size);
    privileges_end_as_user();
    return r;
}

rlim_t startup_descriptors(const struct rlimit *inherited, int64_t connections)
{
    rlim_t wanted = FILES_UNASKED;
    if (connections > 0)
        wanted = OWN_FILES + (rlim_t)(connections + connections / (APPLICATION_SHARE - 1) + 1);
    if (wanted > inherited->rlim_max)
        wanted = inherited->rlim_max;
    return wanted > inherited->rlim_cur ? wanted : inherited->rlim_cur;
}

/*
 * A reload may ask for more, or for less again. The limit that the first start found is the base.
 */
static int resolve_descriptors(int64_t connections, struct rlimit *limit)
{
    static struct rlimit inherited;
    static bool known;
    if (getrlimit(RLIMIT_NOFILE, limit) < 0)
        return -1;
    if (!known)
        inherited = *limit;
    known = true;
    struct rlimit wanted = {startup_descriptors(&inherited, connections), limit->rlim_max};
    if (wanted.rlim_cur != limit->rlim_cur && setrlimit(RLIMIT_NOFILE, &wanted) == 0)
        *limit = wanted;
    return 0;
}

/* Without --worker-connections, three quarters of the soft limit are for connections. */
static void resolve_connections(struct options *options)
{
    struct rlimit limit;
    if (resolve_descriptors(options->worker_connections, &limit) < 0)
        return;
    if (options->worker_connections == 0) {
        int64_t files = limit.rlim_cur < INT32_MAX ? (int64_t)limit.rlim_cur : INT32_MAX;
        files = files > 2 * OWN_FILES ? files - OWN_FILES : files / 2;
        options->worker_connections = files - files / APPLICATION_SHARE;
    }
}

static void resolve_workers(struct options *options, char *reason, size_t size)
{
    if (options->workers > 0) {
        snprintf(reason, size, "as configured");
    } else if (options->reload) {
        snprintf(reason, size, "one, for --reload");
        options->workers = 1;
    } else {
        options->workers = cpus_usable(reason, size);
    }
}

void startup_resolve(struct options *options, char *reason, size_t size)
{
    resolve_connections(options);
    resolve_workers(options, reason, size);
}

static void warn(const char *sentence)
{
    log_warning("%s", sentence);
}

void startup_warn(const struct options *options)
{
    options_tell_strays(environ, warn);
    tmp_dir_warn(options);
}

/* The kernel clips a backlog silently. */
static void warn_of_somaxconn(const struct options *options)
{
    long somaxconn;
    FILE *file = fopen("/proc/sys/net/core/somaxconn", "re");
    if (file == NULL)
        return;
    if (fscanf(file, "%ld", &somaxconn) == 1 && somaxconn < options->backlog)
        log_warning("--backlog %lld is cut to net.core.somaxconn, which is %ld", (long long)options->backlog,
                    somaxconn);
    fclose(file);
}

static void warn_of_descriptors(const struct options *options, bool chosen)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    long long files = limit.rlim_cur < INT32_MAX ? (long long)limit.rlim_cur : INT32_MAX;
    long long connections = options->worker_connections;
    if (chosen && connections + OWN_FILES > files)
        log_warning("--worker-connections %lld is more than the limit of open files allows, which is %lld "
                    "(ulimit -n)",
                    connections, files);
    else if (!chosen && connections < FEW_CONNECTIONS)
        log_warning("a worker takes %lld connections at once: the limit of open files is %lld (ulimit -n)",
                    connections, files);
}

void startup_warn_of_limits(const struct options *options, bool chosen)
{
    warn_of_somaxconn(options);
    warn_of_descriptors(options, chosen);
}

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

/*
 * The order matters: a relative name is one in the directory, and files are read and made as the
 * user.
 */
static int (*const steps[])(struct options *options, struct access_log **access_log, char *message,
                            size_t size) = {
    find_user,   enter_directory, look_at_environment, look_at_extra_files,
    try_tmp_dir, open_log,        open_access_log,
};
enum { STEPS = sizeof(steps) / sizeof(steps[0]), STEPS_FOR_APPLICATION = 3 };

int startup_apply(struct options *options, struct access_log **access_log, char *message, size_t size)
{
    *access_log = NULL;
    for (size_t i = 0; i < STEPS; i++)
        if (steps[i](options, access_log, message, size) < 0)
            return -1;
    return 0;
}

void startup_apply_all(struct options *options, void (*complain)(const char *message),
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
