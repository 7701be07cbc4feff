/* --check-config. */
#include "setup/check.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "proc/fork.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "proc/python_end.h"
#include "setup/check_places.h"
#include "setup/process.h"
#include "setup/startup.h"
#include "worker/boot.h"

/* What is wrong is to be seen by who asks, also when the service has a log file; and whoever has no patience is to be obeyed. */
static void be_plain(void)
{
    static const struct log_options plain = {.path = "-", .level = LOG_WARNING};
    sigset_t none;
    log_open(&plain);
    log_identify("check");
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* `status`: of what was found before. */
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

/* The application, which may be another user's, gets nothing of the service. Nor would the workers notice that the master is gone
 * as long as somebody has its ends of the worker channels. */
static void close_saved(struct upgrade_state *saved)
{
    if (saved != NULL)
        upgrade_state_close(saved);
    upgrade_state_free(saved);
}

/* The exit status of the first that is wrong. */
static int look_at_places(struct options *options, const struct upgrade_state *saved)
{
    int addresses = saved != NULL ? service_check(options, saved) : check_addresses(options);
    int pid_file = check_pid_file(options);
    return addresses != EXIT_STOPPED ? addresses : pid_file;
}

int check_main(struct options *options, struct mistakes *mistakes, struct upgrade_state *saved)
{
    char message[256];
    process_apply_all(options, log_complain, mistakes);
    be_plain();
    notify_forget();
    pid_t master = saved != NULL ? getppid() : 0;
    int status = look_at_places(options, saved);
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
        fork_dies_with(master); /* another user's process did no longer */
    return load(options, status);
}
