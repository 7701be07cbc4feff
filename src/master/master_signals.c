/* What the master does on signals. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "master/master_state.h"

static void stop_quickly(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    graceful_stop_skip(&master->graceful_stop);
    fleet_quit(master->fleet, clock_ms());
    master_follow_up(master);
}

/* Whoever asks a second time has no patience. */
static void stop_gracefully(evutil_socket_t signal, short what, void *arg)
{
    struct master *master = arg;
    if (master->graceful_stop.state != GRACEFUL_STOP_NOT_YET) {
        stop_quickly(signal, what, arg);
        return;
    }
    log_info("stopping: requests in progress are finished");
    master_tell_all(master, MESSAGE_UNREADY);
    graceful_stop_begin(&master->graceful_stop, master->options->drain_delay);
    master_follow_up(master);
}

static void reopen_logs(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    if (log_reopen() < 0)
        log_error("--error-logfile: %s cannot be opened: %s", master->options->error_logfile,
                  place_strerror(errno));
    if (master->access_log != NULL && access_log_reopen(master->access_log) < 0)
        log_error("--access-logfile: %s cannot be opened: %s", master->options->access_logfile,
                  place_strerror(errno));
    master_tell_all(master, MESSAGE_REOPEN);
    status_process_reopen(master->status);
    zygote_pool_reopen_logs(master->zygotes);
}

static void reload(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    char message[1024];
    master_reload(arg, message, sizeof(message));
}

static void child_ended(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    master_reap(arg);
}

static void upgrade(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    const struct master *master = arg;
    if (fleet_phase(master->fleet) != FLEET_SERVING || master->graceful_stop.state != GRACEFUL_STOP_NOT_YET)
        log_warning("not upgraded: the service starts, or stops");
    else
        upgrade_begin(master->upgrade, (uint64_t)master->options->timeout);
}

static const struct {
    int number;
    void (*handle)(evutil_socket_t signal, short what, void *arg);
} signals[] = {
    {SIGCHLD, child_ended}, {SIGTERM, stop_gracefully}, {SIGINT, stop_quickly}, {SIGQUIT, stop_quickly},
    {SIGUSR1, reopen_logs}, {SIGHUP, reload},           {SIGUSR2, upgrade},
};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

struct master_signals {
    struct event *events[SIGNALS];
    struct event *counted;
    int counting; /* a signalfd */
};

static void mask_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i].number);
    sigprocmask(how, &set, NULL);
}

/* TTIN and TTOU stay blocked: the terminal sends none for what a process that blocks them writes. It does for the application's
 * output, to the whole group: that is not an order. */
static sigset_t counting_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTTIN);
    sigaddset(&set, SIGTTOU);
    return set;
}

void master_hold_signals(void)
{
    sigset_t counting = counting_signals();
    sigprocmask(SIG_BLOCK, &counting, NULL);
    signal(SIGTTIN, SIG_DFL); /* whoever has started us may ignore them */
    signal(SIGTTOU, SIG_DFL);
    mask_signals(SIG_BLOCK);
}

/* Not by handlers: from the background of a terminal with tostop each log record would send one. */
static void counted(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct signalfd_siginfo info;
    char message[256];
    while (read(fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_code != SI_KERNEL)
            master_resize(arg, info.ssi_signo == SIGTTIN ? 1 : -1, message, sizeof(message));
}

void master_open_signals(struct master *master)
{
    struct master_signals *all = xcalloc(1, sizeof(*all));
    sigset_t counting = counting_signals();
    for (int i = 0; i < SIGNALS; i++) {
        all->events[i] = evsignal_new(master->base, signals[i].number, signals[i].handle, master);
        event_add(all->events[i], NULL);
    }
    all->counting = signalfd(-1, &counting, SFD_NONBLOCK | SFD_CLOEXEC);
    all->counted = event_new(master->base, all->counting, EV_READ | EV_PERSIST, counted, master);
    event_add(all->counted, NULL);
    master->signals = all;
    mask_signals(SIG_UNBLOCK);
}

void master_close_signals(struct master *master)
{
    struct master_signals *all = master->signals;
    mask_signals(
        SIG_BLOCK); /* one that comes now must not end us before files are removed and the exit status is said */
    for (int i = 0; i < SIGNALS; i++)
        event_free(all->events[i]);
    event_free(all->counted);
    close(all->counting);
    free(all);
    master->signals = NULL;
}

void master_forget_signals(const struct master *master)
{
    if (master->signals != NULL)
        close(master->signals->counting);
}
