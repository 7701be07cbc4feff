/* gateway: options, then the master. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "access/log.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/program.h"
#include "base/standard_fds.h"
#include "base/timestamp.h"
#include "base/title.h"
#include "master/master.h"
#include "options/options.h"
#include "options/options_help.h"
#include "options/options_parse.h"
#include "options/options_values.h"
#include "py/interp.h"
#include "setup/check.h"
#include "setup/configuration.h"
#include "setup/restart_on_save.h"
#include "setup/startup.h"
#include "upgrade/upgrade_state.h"

enum { MESSAGE_SIZE = 1024 };

static int usage(const char *message)
{
    log_complain(message);
    return EXIT_USAGE;
}

static void set_title(const struct options *options)
{
    if (options->name != NULL)
        title_set("gateway: master [%s] %s", options->name, options->application);
    else
        title_set("gateway: master [%s]", options->application);
}

static int serve(struct options *options, struct upgrade_state *saved)
{
    char message[MESSAGE_SIZE];
    struct access_log *access_log;
    struct timespec begun;
    clock_gettime(CLOCK_REALTIME, &begun);
    if (startup_apply(options, &access_log, message, sizeof(message)) < 0)
        return usage(message);
    set_title(options);
    int status = master_main(options, access_log, saved);
    access_log_free(access_log);
    return status == EXIT_APPLICATION && options->reload ? restart_on_save(options, &begun) : status;
}

/* A binary that takes over a service ignores mistakes in the configuration file, which was good at
 * the last reload. Ending would stop the service. The following reload reports the mistake. */
static int configure(struct options *options, int argc, char **argv, const struct upgrade_state *saved,
                     char *message)
{
    char unused[MESSAGE_SIZE];
    if (configuration_read(options, argc, argv, message, MESSAGE_SIZE) == 0)
        return 0;
    return saved != NULL ? configuration_load(options, saved, unused, sizeof(unused)) : -1;
}

static int version(void)
{
    printf("gateway %s (Python %s)\n", VERSION, interp_version());
    return 0;
}

int main(int argc, char **argv)
{
    char message[MESSAGE_SIZE];
    struct options options;
    int status = 0;
    if (standard_fds_fill() < 0)
        _exit(EXIT_FAILURE_RUNTIME);
    title_init(argc, argv);
    program_remember(argv);
    timestamp_keep_zone(time(NULL));
    master_hold_signals();
    signal(SIGPIPE, SIG_IGN); /* write(2) then reports that the reader of a log is gone */
    signal(SIGXFSZ, SIG_IGN);
    struct upgrade_state *saved = upgrade_state_take(message, sizeof(message));
    if (message[0] != '\0') {
        char sentence[MESSAGE_SIZE + sizeof("gateway: ")];
        snprintf(sentence, sizeof(sentence), "gateway: %s", message);
        log_complain(sentence);
        return EXIT_FAILURE_RUNTIME;
    }
    bool check = options_want_check(argc, argv, environ);
    struct mistakes mistakes = {.count = 0};
    if (check)
        configuration_check(&options, argc, argv, log_complain, &mistakes);
    if (!check && configure(&options, argc, argv, saved, message) < 0)
        return usage(message);
    switch (options.action) {
    case OPTIONS_HELP:
        options_help(stdout);
        break;
    case OPTIONS_MANUAL:
        options_manual(stdout);
        break;
    case OPTIONS_BASH:
    case OPTIONS_ZSH:
    case OPTIONS_FISH:
        options_completion(stdout, (enum completion_shell)(options.action - OPTIONS_BASH));
        break;
    case OPTIONS_VERSION:
        status = version();
        break;
    case OPTIONS_PRINT:
        status = configuration_print(argc, argv, message, sizeof(message)) == 0 ? 0 : usage(message);
        break;
    case OPTIONS_SERVE:
        status = check ? check_main(&options, &mistakes, saved) : serve(&options, saved);
        break;
    }
    options_free(&options);
    /* --help that could not be written has failed. */
    if (fflush(stdout) != 0 && status == 0) {
        perror("gateway: standard output");
        status = EXIT_FAILURE_RUNTIME;
    }
    return status;
}
