/* --check-config. */
#include "proc/check.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/boot.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "proc/process.h"
#include "proc/signals.h"
#include "proc/startup.h"
#include "py/interp.h"

/* For atexit functions and threads. */
enum { FINISH_SECONDS = 10 };

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

static int load(const struct options *options)
{
    if (boot_application(options, STDERR_FILENO) == NULL)
        return EXIT_APPLICATION;
    printf("gateway: the configuration is good, and %s can be loaded\n", options->application);
    fflush(stdout);
    signals_for_the_end(FINISH_SECONDS);
    interp_stop();
    return EXIT_STOPPED;
}

/* EXIT_STOPPED, or the exit status after a log record. */
static int check_service(struct options *options)
{
    char message[256];
    struct heritage *heritage = heritage_take(message, sizeof(message));
    if (message[0] != '\0') {
        log_critical("%s", message);
        return EXIT_FAILURE_RUNTIME;
    }
    int status = service_check(options, heritage);
    heritage_free(heritage);
    return status;
}

static void complain(const char *message)
{
    fprintf(stderr, "%s\n", message);
}

int check_main(struct options *options, size_t mistakes)
{
    char message[256];
    mistakes += process_apply_all(options, complain);
    be_plain();
    notify_forget();
    int status = check_service(options);
    if (mistakes > 0)
        return EXIT_USAGE;
    if (status != EXIT_STOPPED)
        return status;
    if (privileges_drop(message, sizeof(message)) < 0) {
        log_critical("%s", message);
        return EXIT_FAILURE_RUNTIME;
    }
    return load(options);
}
