/* gateway: options, then the master. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/environment.h"
#include "base/log.h"
#include "base/options.h"
#include "net/access_log.h"
#include "proc/master.h"
#include "proc/worker.h"
#include "py/interp.h"

enum { MESSAGE_SIZE = 1024 };

static int usage(const char *message)
{
    fprintf(stderr, "%s\n", message);
    return EXIT_USAGE;
}

/* What the options say about this process itself. 0, or -1 with the message. */
static int apply(const struct options *options, char *message)
{
    struct log_options log = {.path = options->error_logfile,
                              .level = (enum log_level)options->log_level,
                              .json = options->log_format == 1};
    if (chdir(options->chdir) < 0) {
        snprintf(message, MESSAGE_SIZE, "gateway: --chdir: %s: %s", options->chdir, strerror(errno));
        return -1;
    }
    if (environment_apply(options, message, MESSAGE_SIZE) < 0)
        return -1;
    if (log_open(&log) < 0) {
        snprintf(message, MESSAGE_SIZE, "gateway: --error-logfile: %s: %s", log.path, strerror(errno));
        return -1;
    }
    log_identify("master");
    return 0;
}

static int serve(struct options *options)
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
    int status = master_main(options, access_log);
    access_log_free(access_log);
    return status;
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
    signal(SIGPIPE, SIG_IGN); /* a log's reader that goes away is an error to write(2), not the end */
    signal(SIGXFSZ, SIG_IGN);
    if (options_parse(&options, argc, argv, environ, message, sizeof(message)) < 0)
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
        status = serve(&options);
        break;
    }
    options_free(&options);
    return status;
}
