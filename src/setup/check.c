/* --check-config: checks the places that a start takes, then loads the application. */
#include "setup/check.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control_socket.h"
#include "net/address_check.h"
#include "proc/fork.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "proc/python_end.h"
#include "setup/pid_file.h"
#include "setup/service.h"
#include "setup/startup.h"
#include "worker/boot.h"

enum { MESSAGE_SIZE = 512 };

struct places {
    struct address *addresses; /* of the good ones */
    size_t count;
    int status; /* exit status of the first bad one */
};

static void places_fail(struct places *places, struct address *address, int status)
{
    places->status = places->status != EXIT_STOPPED ? places->status : status;
    address_close(address, false);
}

/* Adds an address that could be bound if there were no others. */
static void places_add(struct places *places, struct address *address)
{
    if (service_tell_overlap(places->addresses, places->count, address))
        places_fail(places, address, EXIT_ADDRESS);
    else
        places->addresses[places->count++] = *address;
}

static void places_look_at(struct places *places, const char *option, const char *text)
{
    char message[MESSAGE_SIZE];
    struct address address;
    int status = service_parse_address(&address, option, text);
    if (status != EXIT_STOPPED) {
        places_fail(places, &address, status);
    } else if (address_check(&address, message, sizeof(message)) < 0) {
        log_error("%s", message);
        places_fail(places, &address, EXIT_ADDRESS);
    } else {
        places_add(places, &address);
    }
}

static void places_look_at_control_socket(struct places *places, const char *path)
{
    char message[MESSAGE_SIZE];
    struct address address;
    if (control_socket_check(&address, path, message, sizeof(message)) < 0) {
        log_error("%s", message);
        places_fail(places, &address, EXIT_ADDRESS);
    } else {
        places_add(places, &address);
    }
}

static int check_addresses(const struct options *options)
{
    struct places places = {.addresses = xcalloc(options->bind.count + 2, sizeof(*places.addresses)),
                            .status = EXIT_STOPPED};
    for (size_t i = 0; i < options->bind.count; i++)
        places_look_at(&places, "--bind", options->bind.items[i]);
    if (options->status != NULL)
        places_look_at(&places, "--status", options->status);
    if (options->control_socket != NULL)
        places_look_at_control_socket(&places, options->control_socket);
    for (size_t i = 0; i < places.count; i++)
        address_close(&places.addresses[i], false);
    free(places.addresses);
    return places.status;
}

static int check_pid_file(const struct options *options)
{
    char message[MESSAGE_SIZE];
    if (options->pid_file == NULL || pid_file_check(options->pid_file, message, sizeof(message)) == 0)
        return EXIT_STOPPED;
    log_error("%s", message);
    return EXIT_FAILURE_RUNTIME;
}

/*
 * The user sees what is wrong on standard error, also when the service has a log file. Signals stop
 * the check at once.
 */
static void be_plain(void)
{
    static const struct log_options plain = {.path = "-", .level = LOG_WARNING};
    sigset_t none;
    log_open(&plain);
    log_identify("check");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `status` is that of the earlier checks. */
static int load(const struct options *options, int status)
{
    struct application *application = boot_application(options, STDERR_FILENO, LOG_WARNING);
    if (application == NULL && status == EXIT_STOPPED)
        status = EXIT_APPLICATION;
    if (status == EXIT_STOPPED)
        printf("gateway: the configuration is good, and %s can be loaded\n", options->application);
    fflush(stdout);
    python_end_alone(application, status, application != NULL ? python_end_quick_ms(options) : 0);
    return status;
}

/*
 * The application may belong to another user, and gets nothing of the service. The workers would
 * also not notice the end of the master while another process has its ends of the worker channels.
 */
static void close_saved(struct upgrade_state *saved)
{
    if (saved != NULL)
        upgrade_state_close(saved);
    upgrade_state_free(saved);
}

/* Returns the exit status of the first place that is bad. */
static int check_places(struct options *options, const struct upgrade_state *saved)
{
    int addresses = saved != NULL ? service_check(options, saved) : check_addresses(options);
    int pid_file = check_pid_file(options);
    return addresses != EXIT_STOPPED ? addresses : pid_file;
}

int check_main(struct options *options, struct mistakes *mistakes, struct upgrade_state *saved)
{
    char message[256];
    startup_apply_all(options, log_complain, mistakes);
    be_plain();
    notify_forget();
    pid_t master = saved != NULL ? getppid() : 0;
    int status = check_places(options, saved);
    startup_warn(options);
    close_saved(saved);
    if (mistakes->count > 0)
        status = EXIT_USAGE;
    if (mistakes->application) {
        log_warning("the application was not tried: what is wrong above may concern it");
        return status;
    }
    if (privileges_drop(message, sizeof(message)) < 0) {
        log_critical("%s", message);
        return EXIT_FAILURE_RUNTIME;
    }
    if (master != 0)
        fork_dies_with(master); /* changing the user has cleared the setting */
    return load(options, status);
}
