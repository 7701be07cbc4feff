/* gateway: options, then the master. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/log.h"
#include "base/log_file.h"
#include "base/options.h"
#include "base/title.h"
#include "net/access_log.h"
#include "proc/check.h"
#include "proc/configuration.h"
#include "proc/heritage.h"
#include "proc/master.h"
#include "proc/privileges.h"
#include "proc/startup.h"
#include "proc/upgrade.h"
#include "proc/worker.h"
#include "py/interp.h"

enum { MESSAGE_SIZE = 1024 };

/* A descriptor of ours in the place of a closed standard one would be written to as if it were that. */
static void open_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0) {
            int null = open("/dev/null", O_RDWR);
            if (null != fd)
                _exit(EXIT_FAILURE_RUNTIME);
        }
}

static int usage(const char *message)
{
    fprintf(stderr, "%s\n", message);
    return EXIT_USAGE;
}

/* What the options say about this process itself. 0, or -1 with the message. */
static int apply(struct options *options, char *message)
{
    if (chdir(options->chdir) < 0) {
        snprintf(message, MESSAGE_SIZE, "gateway: --chdir: %s: %s", options->chdir, strerror(errno));
        return -1;
    }
    if (environment_check(options, message, MESSAGE_SIZE) < 0 ||
        privileges_resolve(options, message, MESSAGE_SIZE) < 0)
        return -1;
    if (options->umask != NULL)
        umask((mode_t)strtoul(options->umask, NULL, 8));
    if (privileges_user() != (uid_t)-1)
        log_files_belong_to(privileges_user());
    startup_settle_paths(options);
    struct log_options log = {.path = options->error_logfile,
                              .level = (enum log_level)options->log_level,
                              .json = options->log_format == 1};
    if (log_open(&log) < 0) {
        snprintf(message, MESSAGE_SIZE, "gateway: --error-logfile: %s: %s", log.path, strerror(errno));
        return -1;
    }
    log_identify("master");
    return 0;
}

static void set_title(const struct options *options)
{
    if (options->name != NULL)
        title_set("gateway: master [%s] %s", options->name, options->application);
    else
        title_set("gateway: master [%s]", options->application);
}

static int serve(struct options *options, struct heritage *heritage)
{
    char message[MESSAGE_SIZE];
    struct access_log *access_log = NULL;
    if (apply(options, message) < 0)
        return usage(message);
    if (options->access_logfile != NULL) {
        access_log =
            access_log_open(options->access_logfile, options->access_logformat, message, sizeof(message));
        if (access_log == NULL)
            return usage(message);
    }
    set_title(options);
    int status =
        options->check_config ? check_main(options, heritage) : master_main(options, access_log, heritage);
    access_log_free(access_log);
    return status;
}

/* Whoever takes a service over does not end it for a file that was good a moment ago: the reload that follows says what is wrong. */
static int configure(struct options *options, int argc, char **argv, const struct heritage *heritage,
                     char *message)
{
    char unused[MESSAGE_SIZE];
    if (configuration_read(options, argc, argv, message, MESSAGE_SIZE) == 0)
        return 0;
    if (heritage == NULL || configuration_inherit(options, heritage, unused, sizeof(unused)) < 0)
        return -1;
    if (!options->check_config)
        return 0;
    options_free(options);
    return -1;
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
    open_standard_descriptors();
    title_init(argc, argv);
    upgrade_remember(argv);
    master_hold_signals();
    signal(SIGPIPE, SIG_IGN); /* a log's reader that goes away is an error to write(2), not the end */
    signal(SIGXFSZ, SIG_IGN);
    struct heritage *heritage = heritage_take(message, sizeof(message));
    if (message[0] != '\0') {
        fprintf(stderr, "gateway: %s\n", message);
        return EXIT_FAILURE_RUNTIME;
    }
    if (configure(&options, argc, argv, heritage, message) < 0)
        return usage(message);
    switch (options.action) {
    case OPTIONS_HELP:
        options_help(stdout);
        break;
    case OPTIONS_MANUAL:
        options_manual(stdout);
        break;
    case OPTIONS_VERSION:
        status = version();
        break;
    case OPTIONS_SERVE:
        status = serve(&options, heritage);
        break;
    }
    options_free(&options);
    /* --help on a full disk has not helped. */
    if (fflush(stdout) != 0 && status == 0) {
        perror("gateway: standard output");
        status = EXIT_FAILURE_RUNTIME;
    }
    return status;
}
