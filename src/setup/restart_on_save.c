/* --reload, when the application cannot be loaded at the very start. */
#include "setup/restart_on_save.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "worker/watch.h"

/* `list` is colon-separated, and may be NULL. */
static void watch_directories(struct watch *watch, const char *list, const struct options *options)
{
    if (list == NULL)
        return;
    char *paths = xstrdup(list), *rest = paths, *name;
    while ((name = strsep(&rest, ":")) != NULL) {
        char *directory = realpath(name, NULL);
        if (directory != NULL)
            watch_application(watch, directory, options, true);
        free(directory);
    }
    free(paths);
}

static void watch_all(struct watch *watch, const struct options *options)
{
    char *here = getcwd(NULL, 0);
    if (here != NULL)
        watch_application(watch, here, options, true);
    free(here);
    watch_directories(watch, options->pythonpath, options);
    watch_directories(watch, getenv("PYTHONPATH"), options);
    watch_options(watch, options);
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

/*
 * Waits until something has changed, and then for quiet: each change begins that wait again. 0, or
 * -1 when a signal stops it. `saved`: something has changed already.
 */
static int await_save(struct watch *watch, int signals, bool saved, char changed[PATH_MAX])
{
    int quiet = saved ? (int)watch_quiet_ms(WATCH_SAVED) : -1;
    for (;;) {
        struct pollfd fds[] = {{.fd = signals, .events = POLLIN}, {.fd = watch_fd(watch), .events = POLLIN}};
        int n = poll(fds, 2, quiet >= 0 ? quiet : WATCH_LOOK_MS);
        if (n == 0 && quiet >= 0)
            return 0;
        if ((n < 0 && errno != EINTR) || fds[0].revents != 0)
            return -1;
        enum watch_change change =
            n != 0 ? watch_read(watch, changed, PATH_MAX) : watch_look_again(watch, changed, PATH_MAX);
        if (change != WATCH_NONE)
            quiet = (int)watch_quiet_ms(change);
    }
}

/*
 * A half-written configuration would end the program for good. A child tries it, and says what is
 * wrong.
 */
static bool configuration_is_good(void)
{
    static char print[] = "--print-config";
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        dup2(null, STDOUT_FILENO);
        program_execute(program_arguments_with(print));
        _exit(EXIT_FAILURE_RUNTIME);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STOPPED;
}

static int wait_and_start(struct watch *watch, int signals, const struct timespec *begun)
{
    char changed[PATH_MAX];
    bool saved = watch_find_since(watch, begun, changed, sizeof(changed));
    do {
        log_info("--reload: waiting for something to be saved");
        if (await_save(watch, signals, saved, changed) < 0)
            return EXIT_STOPPED;
        log_info("%s has changed: starting again", changed);
        saved = false;
    } while (!configuration_is_good());
    program_execute(program_arguments());
    log_error("%s cannot be executed: %s", program_path(), strerror(errno));
    return EXIT_APPLICATION;
}

static bool sockets_were_passed(const struct options *options)
{
    const char *prefix = "fd://";
    for (size_t i = 0; i < options->bind.count; i++)
        if (strncmp(options->bind.items[i], prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

int restart_on_save(const struct options *options, const struct timespec *begun)
{
    if (sockets_were_passed(options))
        return EXIT_APPLICATION;
    struct watch *watch = watch_open();
    int signals = stop_signals_fd(), status = EXIT_APPLICATION;
    if (watch != NULL && signals >= 0) {
        watch_all(watch, options);
        status = wait_and_start(watch, signals, begun);
    } else {
        log_error("--reload: what is saved cannot be noticed: %s", strerror(errno));
    }
    if (signals >= 0)
        close(signals);
    watch_free(watch);
    return status;
}
