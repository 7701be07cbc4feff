/* The service's addresses, scoreboard and PID file. */
#include "config.h"

#include "setup/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "net/address_check.h"
#include "options/options_values.h"
#include "proc/directory.h"
#include "proc/privileges.h"
#include "py/interp.h"
#include "setup/startup.h"
#include "upgrade/upgrade_state.h"

/* TTIN can add this many workers without a restart. */
enum { SPARE_SLOTS = 8 };

int service_parse_address(struct address *address, const char *option, const char *text)
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

bool service_tell_overlap(const struct address *addresses, size_t count, const struct address *address)
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

static bool control_socket_overlaps(const struct service *service, const char *path)
{
    char message[512], *text = xasprintf("unix:%s", path);
    struct address control;
    bool found = address_parse(&control, "--control-socket", text, message, sizeof(message)) == 0 &&
                 (service_tell_overlap(service->addresses, service->address_count, &control) ||
                  (service->status != NULL && service_tell_overlap(service->status, 1, &control)));
    address_close(&control, false);
    free(text);
    return found;
}

/*
 * Looks for overlaps before any address is bound: of the second, the kernel would only say that
 * this process has it.
 */
static bool addresses_overlap(const struct service *service, const struct options *options)
{
    bool found = false;
    for (size_t i = 0; i < service->address_count; i++)
        found |= service_tell_overlap(service->addresses, i, &service->addresses[i]);
    if (service->status != NULL)
        found |= service_tell_overlap(service->addresses, service->address_count, service->status);
    return (options->control_socket != NULL && control_socket_overlaps(service, options->control_socket)) ||
           found;
}

/*
 * Listens, with `spares` more sockets for workers that come later. 0, or -1 with one sentence in
 * `message`.
 */
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

/*
 * Logs all that is wrong with the addresses before any is bound. Returns the exit status of the
 * first mistake.
 */
static int parse_addresses(struct service *service, const struct options *options)
{
    int status = EXIT_STOPPED;
    service->addresses = xcalloc(options->bind.count, sizeof(*service->addresses));
    service->address_count = options->bind.count;
    for (size_t i = 0; i < options->bind.count; i++) {
        int found = service_parse_address(&service->addresses[i], "--bind", options->bind.items[i]);
        status = status != EXIT_STOPPED ? status : found;
    }
    if (options->status == NULL)
        return status;
    service->status = xcalloc(1, sizeof(*service->status));
    int found = service_parse_address(service->status, "--status", options->status);
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

void service_save(const struct service *service, const struct options *options, struct upgrade_state *saved)
{
    const struct scoreboard *board = service->board;
    for (size_t i = 0; i < service->address_count; i++)
        address_save(&service->addresses[i], "bind", saved);
    if (service->status != NULL)
        address_save(service->status, "status", saved);
    pid_file_save(service->pid_file, saved);
    upgrade_state_add(saved, "board", NULL,
                      SAVED_NUMBERS(upgrade_state_keep(saved, board->memory), board->count, board->threads,
                                    board->seats, board->restarts, (uint64_t)options->workers,
                                    board->failed_reloads));
}

static void replace_text(char **text, const char *with)
{
    free(*text);
    *text = with != NULL ? xstrdup(with) : NULL;
}

static void load_addresses(struct service *service, struct options *options,
                           const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    struct address address;
    string_list_free(&options->bind);
    while ((line = address_load(&address, "bind", "--bind", saved, line)) != NULL) {
        size_t i = service->address_count++;
        service->addresses =
            xrealloc(service->addresses, service->address_count * sizeof(*service->addresses));
        service->addresses[i] = address;
        string_list_add(&options->bind, address.text);
    }
    if (address_load(&address, "status", "--status", saved, NULL) != NULL) {
        service->status = xcalloc(1, sizeof(*service->status));
        *service->status = address;
    }
    replace_text(&options->status, service->status != NULL ? service->status->text : NULL);
}

static void load_control_socket(struct options *options, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "control", NULL, 1);
    replace_text(&options->control_socket, line != NULL ? strchr(line->text, ':') + 1 : NULL);
}

int service_load(struct service *service, struct options *options, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "board", NULL, 7);
    load_addresses(service, options, saved);
    if (line == NULL || service->address_count == 0) {
        log_critical("the running service does not say what it has: restart it");
        return EXIT_FAILURE_RUNTIME;
    }
    uint32_t count = (uint32_t)line->numbers[1], threads = (uint32_t)line->numbers[2];
    service->board = scoreboard_adopt((int)line->numbers[0], count, threads);
    if (service->board == NULL) {
        log_critical("the scoreboard of the running service cannot be used: %s; restart it", strerror(errno));
        return EXIT_FAILURE_RUNTIME;
    }
    service->board->seats = (uint32_t)line->numbers[3];
    service->board->restarts = line->numbers[4];
    service->slots = count / service->board->seats;
    load_control_socket(options, saved);
    options->workers = (int64_t)line->numbers[5];
    options->threads = threads;
    service->board->failed_reloads = (uint32_t)line->numbers[6];
    return EXIT_STOPPED;
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
    if (status == EXIT_STOPPED && addresses_overlap(service, options))
        return EXIT_ADDRESS;
    for (size_t i = 0; status == EXIT_STOPPED && i < options->bind.count; i++)
        status = listen_on(&service->addresses[i], (unsigned)options->workers, SPARE_SLOTS, options);
    if (status == EXIT_STOPPED && service->status != NULL)
        status = listen_on(service->status, 1, 0, options);
    return status;
}

/* Returns " (DIR)" when Python will use a virtual environment, else "". The caller frees it. */
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

/*
 * Takes over the PID file of the old program, unless the options name another path. 0, or -1 after
 * a log record.
 */
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

/* Makes sockets and scoreboard. Returns EXIT_STOPPED, or the exit status after one log record. */
static int service_make(struct service *service, const struct options *options, unsigned seats)
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
    int status =
        saved != NULL ? service_load(service, options, saved) : service_make(service, options, seats);
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
    startup_warn_of_limits(options, chosen);
    startup_warn(options);
    return EXIT_STOPPED;
}

/*
 * Makes the file anew when it is gone, or is another process's by now: the socket still listens,
 * but the path leads no client to it.
 */
static bool address_renew_file(struct address *address, const struct options *options)
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
        address_renew_file(&service->addresses[i], options);
}

void service_revert(struct service *service)
{
    for (size_t i = 0; i < service->address_count; i++)
        address_revert(&service->addresses[i]);
}

bool service_renew_status(struct service *service, const struct options *options)
{
    return service->status != NULL && address_renew_file(service->status, options);
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
