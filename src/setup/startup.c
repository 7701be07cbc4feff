/* What the master sets up before the first fork. */
#include "config.h"

#include "setup/startup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "net/address_check.h"
#include "options/environment.h"
#include "options/unknown_options.h"
#include "proc/cpus.h"
#include "proc/directory.h"
#include "proc/privileges.h"
#include "py/interp.h"
#include "setup/tmp_dir.h"

/* What TTIN can add without a restart. */
enum { SPARE_SLOTS = 8 };

/* Of the descriptor limit, what is left to the application, and what we need for ourselves. */
enum { APPLICATION_SHARE = 4, OWN_FILES = 16 };

/* The limit that is asked for where nobody has said how many connections: what is raised the application's children inherit, and some
 * of those close, or make a table of, as many descriptors as there may be. */
enum { FILES_UNASKED = 65536 };

/* Fewer connections than this are worth a warning, if nobody has chosen them. */
enum { FEW_CONNECTIONS = 1000 };

/* The application may change the directory later. */
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

/* A reload may ask for more, or for less again: what counts is what the first start has found. */
static int resolve_descriptors(int64_t connections, struct rlimit *limit)
{
    static struct rlimit inherited;
    static bool known;
    if (getrlimit(RLIMIT_NOFILE, limit) < 0)
        return -1;
    if (!known)
        inherited = *limit;
    known = true;
    struct rlimit deferred = {startup_descriptors(&inherited, connections), limit->rlim_max};
    if (deferred.rlim_cur != limit->rlim_cur && setrlimit(RLIMIT_NOFILE, &deferred) == 0)
        *limit = deferred;
    return 0;
}

/* Without --worker-connections three quarters of the soft limit are for connections. */
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

static void warn(const char *sentence)
{
    log_warning("%s", sentence);
}

void startup_warn(const struct options *options)
{
    options_tell_strays(environ, warn);
    tmp_dir_warn(options);
}

/* `chosen`: by --worker-connections. */
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

int startup_parse_address(struct address *address, const char *option, const char *text)
{
    char message[512];
    if (address_parse(address, option, text, message, sizeof(message)) == 0) {
        address_resolve_path(address, directory_base());
        return EXIT_STOPPED;
    }
    int status = errno == EINVAL ? EXIT_USAGE : EXIT_ADDRESS;
    log_error("%s", message);
    return status;
}

bool startup_tell_overlap(const struct address *addresses, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        const struct address *other = &addresses[i];
        if (!address_overlaps(other, address))
            continue;
        if (strcmp(other->option, address->option) == 0 && strcmp(other->text, address->text) == 0)
            log_error("%s %s is given twice: take one of them away", address->option, address->text);
        else
            log_error("%s %s and %s %s are in each other's way: choose another address for one of them",
                      other->option, other->text, address->option, address->text);
        return true;
    }
    return false;
}

static bool control_overlaps(const struct service *service, const char *path)
{
    char message[512], *text = xasprintf("unix:%s", path);
    struct address control;
    bool found = address_parse(&control, "--control-socket", text, message, sizeof(message)) == 0 &&
                 (startup_tell_overlap(service->addresses, service->address_count, &control) ||
                  (service->status != NULL && startup_tell_overlap(service->status, 1, &control)));
    address_close(&control, false);
    free(text);
    return found;
}

/* Before any is bound: the kernel would say of the second that this process has it. */
static bool overlap(const struct service *service, const struct options *options)
{
    bool found = false;
    for (size_t i = 0; i < service->address_count; i++)
        found |= startup_tell_overlap(service->addresses, i, &service->addresses[i]);
    if (service->status != NULL)
        found |= startup_tell_overlap(service->addresses, service->address_count, service->status);
    return (options->control_socket != NULL && control_overlaps(service, options->control_socket)) || found;
}

/* With `spares` sockets more for workers that come later. 0, or -1 with one sentence in `message`. */
static int listen_at(struct address *address, unsigned slots, unsigned spares, const struct options *options,
                     char *message, size_t size)
{
    if (address_listen(address, slots, (int)options->backlog, message, size) < 0)
        return -1;
    if (address_add_spares(address, spares) < 0) {
        snprintf(message, size, "%s: no more sockets for workers that come later: %s", address->text,
                 strerror(errno));
        return -1;
    }
    if (address_give(address, privileges_user(), privileges_group()) == 0)
        return 0;
    snprintf(message, size, "%s cannot be given to --user: %s", address->text, strerror(errno));
    return -1;
}

static int listen_on(struct address *address, unsigned slots, unsigned spares, const struct options *options)
{
    char message[512];
    if (listen_at(address, slots, spares, options, message, sizeof(message)) == 0)
        return EXIT_STOPPED;
    log_error("%s", message);
    return EXIT_ADDRESS;
}

/* All that is wrong with them is told before any is bound. The first's exit status. */
static int parse_addresses(struct service *service, const struct options *options)
{
    int status = EXIT_STOPPED;
    service->addresses = xcalloc(options->bind.count, sizeof(*service->addresses));
    service->address_count = options->bind.count;
    for (size_t i = 0; i < options->bind.count; i++) {
        int found = startup_parse_address(&service->addresses[i], "--bind", options->bind.items[i]);
        status = status != EXIT_STOPPED ? status : found;
    }
    if (options->status == NULL)
        return status;
    service->status = xcalloc(1, sizeof(*service->status));
    int found = startup_parse_address(service->status, "--status", options->status);
    return status != EXIT_STOPPED ? status : found;
}

static void close_addresses(struct service *service, bool unlink_paths)
{
    for (size_t i = 0; i < service->address_count; i++)
        address_close(&service->addresses[i], unlink_paths);
    free(service->addresses);
    if (service->status != NULL)
        address_close(service->status, unlink_paths);
    free(service->status);
}

int service_check(struct options *options, const struct upgrade_state *saved)
{
    struct service service = {.address_count = 0};
    int status = service_load(&service, options, saved);
    close_addresses(&service, false);
    scoreboard_free(service.board);
    return status;
}

static int open_addresses(struct service *service, const struct options *options)
{
    int status = parse_addresses(service, options);
    if (status == EXIT_STOPPED && overlap(service, options))
        return EXIT_ADDRESS;
    for (size_t i = 0; status == EXIT_STOPPED && i < options->bind.count; i++)
        status = listen_on(&service->addresses[i], (unsigned)options->workers, SPARE_SLOTS, options);
    if (status == EXIT_STOPPED && service->status != NULL)
        status = listen_on(service->status, 1, 0, options);
    return status;
}

/* In a new string, " (DIR)" when Python will be a virtual environment's, else "". */
static char *environment_of(const struct options *options)
{
    char *venv = interp_venv(options);
    char *mark = venv != NULL ? xasprintf("%s/pyvenv.cfg", venv) : NULL;
    char *told = mark != NULL && access(mark, R_OK) == 0 ? xasprintf(" (%s)", venv) : xstrdup("");
    free(venv);
    free(mark);
    return told;
}

static void introduce(const struct options *options, const struct upgrade_state *saved)
{
    const struct saved_line *before = saved != NULL ? upgrade_state_next(saved, "gateway", NULL, 0) : NULL;
    char *environment = environment_of(options);
    if (before != NULL)
        log_info("gateway %s, Python %s goes on where gateway %s has stopped", VERSION, interp_version(),
                 before->text);
    else
        log_info("gateway %s, Python %s%s, %s", VERSION, interp_version(), environment, options->application);
    free(environment);
}

static void announce_workers(const struct options *options, const char *reason)
{
    char threads[64] = "";
    if (options->threads > 1)
        snprintf(threads, sizeof(threads), ", %lld threads each", (long long)options->threads);
    log_info("%lld worker%s (%s)%s", (long long)options->workers, options->workers == 1 ? "" : "s", reason,
             threads);
}

static void announce(const struct service *service, const struct options *options, const char *reason)
{
    if (options->config != NULL)
        log_info("options from %s", options->config);
    if (options->bind_replaced)
        log_info("--bind is not used: the sockets are those of LISTEN_FDS");
    for (size_t i = 0; i < service->address_count; i++)
        log_info("listening on %s", service->addresses[i].url);
    if (service->status != NULL)
        log_info("status on %s", service->status->url);
    if (options->reload)
        log_warning("--reload is for development: whatever is saved is served at once");
    announce_workers(options, reason);
}

static void remove_pid_file(struct pid_file *file)
{
    if (file != NULL && pid_file_remove(file) < 0)
        log_warning("--pid: %s cannot be removed: %s", pid_file_path(file), place_strerror(errno));
    pid_file_free(file);
}

/* The old program's file is the new one's, unless that is told another name. 0, or -1 after a log record. */
static int write_pid_file(struct service *service, const struct options *options,
                          const struct upgrade_state *saved)
{
    char message[512];
    struct pid_file *before = saved != NULL ? pid_file_load(saved) : NULL;
    if (before != NULL && options->pid_file != NULL && pid_file_is_at(before, options->pid_file)) {
        service->pid_file = before;
        return 0;
    }
    remove_pid_file(before);
    if (options->pid_file == NULL)
        return 0;
    service->pid_file = pid_file_write(options->pid_file, message, sizeof(message));
    if (service->pid_file != NULL)
        return 0;
    log_error("%s", message);
    return -1;
}

/* Sockets and scoreboard. EXIT_STOPPED, or the exit status after one log record. */
static int make(struct service *service, const struct options *options, unsigned seats)
{
    int status = open_addresses(service, options);
    if (status != EXIT_STOPPED)
        return status;
    service->slots = (unsigned)options->workers + SPARE_SLOTS;
    service->board = scoreboard_new(service->slots * seats, (uint32_t)options->threads);
    if (service->board == NULL) {
        log_critical("the scoreboard cannot be made: %s", strerror(errno));
        return EXIT_FAILURE_RUNTIME;
    }
    service->board->seats = seats;
    return EXIT_STOPPED;
}

int service_open(struct service *service, struct options *options, unsigned seats,
                 const struct upgrade_state *saved)
{
    char reason[128];
    bool chosen = options->worker_connections > 0;
    startup_resolve(options, reason, sizeof(reason));
    int status = saved != NULL ? service_load(service, options, saved) : make(service, options, seats);
    if (status != EXIT_STOPPED) {
        service_close(service);
        return status;
    }
    if (write_pid_file(service, options, saved) < 0) {
        service_close(service);
        return EXIT_FAILURE_RUNTIME;
    }
    introduce(options, saved);
    announce(service, options, reason);
    warn_of_somaxconn(options);
    warn_of_descriptors(options, chosen);
    startup_warn(options);
    return EXIT_STOPPED;
}

/* A file that is gone, or is another's by now, leads no client here, though the socket listens. */
static bool renew(struct address *address, const struct options *options)
{
    char message[512];
    int r = address_renew(address, (int)options->backlog, privileges_user(), privileges_group(), message,
                          sizeof(message));
    if (r > 0)
        log_warning("%s: the file of %s was not there any more: it has been made anew", address->option,
                    address->text);
    else if (r < 0)
        log_error("%s: the file of %s is not there any more: clients cannot connect, and it cannot be made "
                  "anew: %s",
                  address->option, address->text, message);
    return r > 0;
}

void service_renew(struct service *service, const struct options *options)
{
    for (size_t i = 0; i < service->address_count; i++)
        renew(&service->addresses[i], options);
}

void service_revert(struct service *service)
{
    for (size_t i = 0; i < service->address_count; i++)
        address_revert(&service->addresses[i]);
}

bool service_renew_status(struct service *service, const struct options *options)
{
    return service->status != NULL && renew(service->status, options);
}

void service_renew_pid_file(struct service *service)
{
    char message[512];
    struct pid_file *before = service->pid_file;
    if (before == NULL || pid_file_is_at(before, pid_file_path(before)))
        return;
    struct pid_file *file = pid_file_write(pid_file_path(before), message, sizeof(message));
    if (file == NULL) {
        log_error("the PID file is not there any more, and cannot be made anew: %s", message);
        return;
    }
    log_warning("--pid: %s was not there any more: it has been made anew", pid_file_path(file));
    remove_pid_file(before);
    service->pid_file = file;
}

void service_close(struct service *service)
{
    remove_pid_file(service->pid_file);
    close_addresses(service, true);
    scoreboard_free(service->board);
}
