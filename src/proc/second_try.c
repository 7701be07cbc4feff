/* --reload, when the application can not be loaded at the very start. */
#include "proc/second_try.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "proc/watch.h"
#include "proc/worker.h"

/* As for a reload: when nothing has been saved for that long, all of it has been. */
enum { QUIET_MS = 50, QUIET_GONE_MS = 300 };

/* Where the application's module would be, in that directory; and with it all source that can be imported from there. */
static void watch_directory(struct watch *watch, const char *directory, const struct options *options)
{
    int size = (int)strcspn(options->application, ".:");
    char *path = xasprintf("%s/%.*s.py", directory, size, options->application);
    watch_file(watch, path, true);
    free(path);
}

static void watch_python_path(struct watch *watch, const struct options *options)
{
    char *paths = xstrdup(options->pythonpath), *rest = paths, *name;
    while ((name = strsep(&rest, ":")) != NULL) {
        char *directory = realpath(name, NULL);
        if (directory != NULL)
            watch_directory(watch, directory, options);
        free(directory);
    }
    free(paths);
}

static void watch_all(struct watch *watch, const struct options *options)
{
    const struct string_list *extra = &options->reload_extra_file;
    char *here = getcwd(NULL, 0);
    if (here != NULL)
        watch_directory(watch, here, options);
    free(here);
    if (options->pythonpath != NULL)
        watch_python_path(watch, options);
    if (options->config != NULL)
        watch_file(watch, options->config, false);
    if (options->env_file != NULL)
        watch_file(watch, options->env_file, false);
    for (size_t i = 0; i < extra->count; i++)
        watch_file(watch, extra->items[i], false);
    watch_warn(watch);
}

static int stop_signals_fd(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGQUIT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    return signalfd(-1, &signals, SFD_CLOEXEC);
}

/* Each change begins the wait for quiet anew. 0, or -1 when it is told to stop. */
static int await_save(struct watch *watch, int signals, char changed[PATH_MAX])
{
    int quiet = -1;
    for (;;) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = watch_fd(watch), .events = POLLIN}};
        int n = poll(fds, 2, quiet);
        if (n == 0)
            return 0;
        if ((n < 0 && errno != EINTR) || fds[0].revents != 0)
            return -1;
        enum watch_change change = watch_read(watch, changed, PATH_MAX);
        if (change != WATCH_NONE)
            quiet = change == WATCH_GONE ? QUIET_GONE_MS : QUIET_MS;
    }
}

static int wait_and_start(struct watch *watch, int signals)
{
    char changed[PATH_MAX];
    log_info("--reload: waiting for something to be saved");
    if (await_save(watch, signals, changed) < 0)
        return EXIT_STOPPED;
    log_info("%s has changed: starting again", changed);
    program_execute(program_arguments());
    log_error("%s can not be executed: %s", program_path(), strerror(errno));
    return EXIT_APPLICATION;
}

int second_try(const struct options *options)
{
    struct watch *watch = watch_open();
    int signals = stop_signals_fd(), status = EXIT_APPLICATION;
    if (watch != NULL && signals >= 0) {
        watch_all(watch, options);
        status = wait_and_start(watch, signals);
    } else {
        log_error("--reload: what is saved can not be noticed: %s", strerror(errno));
    }
    if (signals >= 0)
        close(signals);
    watch_free(watch);
    return status;
}
