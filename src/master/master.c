/* The master: its loop, its signals, its control socket, its upgrade state. */
#include "config.h"

#include "master/master.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "control/control.h"
#include "master/master_state.h"
#include "master/reload.h"
#include "master/workers.h"
#include "options/environment.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "setup/configuration.h"

/* True: an upgrade at this moment would cut off no start and no client of the control socket. */
static bool may_be_upgraded(const struct master *master)
{
    return upgrade_is_due(master->upgrade) && fleet_is_calm(master->fleet) && reload_is_over(master) &&
           control_is_quiet(master->control);
}

/*
 * Ends the loop when the upgrade may happen: be_upgraded runs outside of it. In be_upgraded, the
 * loop does all that waits first.
 */
static void look_for_upgrade(const struct master *master)
{
    if (!master->empties && may_be_upgraded(master))
        event_base_loopbreak(master->base);
}

static const struct timeval tick_time = {.tv_usec = STALLS_LOOK_MS * 1000};

static void tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct master *master = arg;
    if (master->graceful_stop.state == GRACEFUL_STOP_NOT_YET) {
        if (unserved_slots_tick(master->unserved))
            workers_tell_all(master, MESSAGE_UNSERVED);
        stalls_look(master->stalls, master->options);
    }
    log_limit_tell(false);
    look_for_upgrade(master); /* a client of the control socket may have left */
}

/* Does what follows from an event. The caller has told the fleet of it. */
void master_follow_up(struct master *master)
{
    workers_change(master);
    uint64_t due = fleet_due(master->fleet), now = clock_ms();
    bool stops = master->graceful_stop.state != GRACEFUL_STOP_NOT_YET;
    struct fleet_status status;
    if (!stops && unserved_slots_look(master->unserved))
        workers_tell_all(master, MESSAGE_UNSERVED);
    enum fleet_phase phase = fleet_phase(master->fleet);
    if (stops || phase > FLEET_SERVING)
        upgrade_abandon(master->upgrade);
    report_update(master->report, stops && phase < FLEET_DRAINING ? FLEET_DRAINING : phase,
                  fleet_slots(master->fleet));
    fleet_describe(master->fleet, &status);
    master->proven = status.generation;
    scoreboard_set(master->service.board->service->generation, status.generation);
    scoreboard_set(master->service.board->service->stops, stops);
    if (phase == FLEET_OVER) {
        master->over = zygote_pool_end(master->zygotes);
        if (master->over)
            event_base_loopbreak(master->base);
        return;
    }
    look_for_upgrade(master);
    if (due == 0) {
        event_del(master->due);
        return;
    }
    uint64_t wait = due > now ? due - now : 0;
    struct timeval tv = clock_timeval(wait);
    event_add(master->due, &tv);
}

static void is_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct master *master = arg;
    fleet_tick(master->fleet, clock_ms());
    master_follow_up(master);
}

static void not_forked(void *context, unsigned number, const struct worker_end *end)
{
    struct master *master = context;
    fleet_ended(master->fleet, master->messages[number].seat_id, end, clock_ms());
    master_follow_up(master);
}

/* Returns a child that has ended and was not reaped; 0: there is none. */
static pid_t find_dead(void)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

/*
 * Reaps the children that have ended. As process 1 of a container, and with zygotes, the master
 * gets children of other processes too: it reaps them and does nothing else. waitpid comes last,
 * because until then no other process gets the pid, and a zygote may be about to report it as a
 * worker.
 */
static void reap(struct master *master)
{
    int status;
    pid_t pid;
    while ((pid = find_dead()) > 0) {
        zygote_pool_read(master->zygotes);
        waitpid(pid, &status, 0);
        if (status_process_ended(master->status, pid, status) ||
            upgrade_ended(master->upgrade, pid, status) || reload_reading_ended(master, pid, status))
            continue;
        if (!workers_ended(master, pid, status))
            zygote_pool_reap(master->zygotes, pid, status);
    }
    master_follow_up(master);
}

static void stop_quickly(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    graceful_stop_skip(&master->graceful_stop);
    fleet_quit(master->fleet, clock_ms());
    master_follow_up(master);
}

/* A second signal asks for a quick stop. */
static void stop_gracefully(evutil_socket_t signal, short what, void *arg)
{
    struct master *master = arg;
    if (master->graceful_stop.state != GRACEFUL_STOP_NOT_YET) {
        stop_quickly(signal, what, arg);
        return;
    }
    log_info("stopping: requests in progress are finished");
    workers_tell_all(master, MESSAGE_UNREADY);
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
    workers_tell_all(master, MESSAGE_REOPEN);
    status_process_reopen(master->status);
    zygote_pool_reopen_logs(master->zygotes);
}

static void reload_on_signal(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    char message[1024];
    reload_begin(arg, message, sizeof(message));
}

static void child_ended(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    reap(arg);
}

static void upgrade_on_signal(evutil_socket_t signal, short what, void *arg)
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
    {SIGCHLD, child_ended}, {SIGTERM, stop_gracefully}, {SIGINT, stop_quickly},       {SIGQUIT, stop_quickly},
    {SIGUSR1, reopen_logs}, {SIGHUP, reload_on_signal}, {SIGUSR2, upgrade_on_signal},
};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

struct master_signals {
    struct event *events[SIGNALS];
    struct event *counted;
};

static void mask_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i].number);
    sigprocmask(how, &set, NULL);
}

/*
 * TTIN and TTOU stay blocked: the terminal sends no TTOU to a process that blocks it. But the
 * output of the application makes the terminal send it to the whole group. Such a signal is no
 * order.
 */
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
    signal(SIGTTIN, SIG_DFL); /* the parent may have ignored them */
    signal(SIGTTOU, SIG_DFL);
    mask_signals(SIG_BLOCK);
}

/*
 * A signalfd reads TTIN and TTOU, not a handler: with a handler, the master in the background of a
 * terminal with tostop would get one for each log record.
 */
static void counted(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct signalfd_siginfo info;
    char message[256];
    while (read(fd, &info, sizeof(info)) == sizeof(info))
        if (info.ssi_code != SI_KERNEL)
            workers_resize(arg, info.ssi_signo == SIGTTIN ? 1 : -1, message, sizeof(message));
}

static void open_signals(struct master *master)
{
    struct master_signals *all = xcalloc(1, sizeof(*all));
    sigset_t counting = counting_signals();
    for (int i = 0; i < SIGNALS; i++) {
        all->events[i] = evsignal_new(master->base, signals[i].number, signals[i].handle, master);
        event_add(all->events[i], NULL);
    }
    master->resize_signals = signalfd(-1, &counting, SFD_NONBLOCK | SFD_CLOEXEC);
    all->counted = event_new(master->base, master->resize_signals, EV_READ | EV_PERSIST, counted, master);
    event_add(all->counted, NULL);
    master->signals = all;
    mask_signals(SIG_UNBLOCK);
}

static void close_signals(struct master *master)
{
    struct master_signals *all = master->signals;
    mask_signals(
        /* a signal must not end the master before files are removed and the exit status is logged */
        SIG_BLOCK);
    for (int i = 0; i < SIGNALS; i++)
        event_free(all->events[i]);
    event_free(all->counted);
    close(master->resize_signals);
    master->resize_signals = -1;
    free(all);
    master->signals = NULL;
}

static const struct zygote_child *importer(void *context, unsigned row)
{
    const struct master *master = context;
    return zygote_pool_importer(master->zygotes, row);
}

static unsigned next_reading(void *context)
{
    return reload_next_reading(context);
}

static int reload_for(void *context, char *message, size_t size)
{
    return reload_begin(context, message, size);
}

static int resize_for(void *context, int change, char *message, size_t size)
{
    return workers_resize(context, change, message, size);
}

static int open_control(struct master *master)
{
    char message[512];
    const struct control_view view = {
        .base = master->base,
        .options = master->options,
        .board = master->service.board,
        .children = master->children,
        .count = master->count,
        .fleet = master->fleet,
        .saved = master->saved,
        .importer = importer,
        .next_reading = next_reading,
        .reload = reload_for,
        .resize = resize_for,
        .context = master,
    };
    if (master->options->control_socket == NULL)
        return EXIT_STOPPED;
    master->control = control_open(&view, message, sizeof(message));
    if (master->control == NULL)
        log_error("%s", message);
    return master->control != NULL ? EXIT_STOPPED : EXIT_ADDRESS;
}

static void save_child(const struct child *child, unsigned number, struct upgrade_state *saved)
{
    upgrade_state_add(saved, "child", NULL,
                      SAVED_NUMBERS(number, upgrade_state_keep(saved, child->channel.master),
                                    upgrade_state_keep(saved, child->channel.worker),
                                    upgrade_state_keep(saved, child->crash_pipe.master),
                                    upgrade_state_keep(saved, child->crash_pipe.worker), (uint64_t)child->pid,
                                    child->forked_ms, child->requests_before, child->killed));
}

static struct upgrade_state *save(void *context)
{
    const struct master *master = context;
    struct upgrade_state *saved = upgrade_state_new();
    configuration_save(saved);
    service_save(&master->service, master->options, saved);
    fleet_save(master->fleet, saved);
    for (unsigned i = 0; i < master->service.slots; i++)
        upgrade_state_add(saved, "post", NULL,
                          SAVED_NUMBERS(i, upgrade_state_keep(saved, master->transfer_in[i]),
                                        upgrade_state_keep(saved, master->transfer_out[i])));
    for (unsigned i = 0; i < master->slots * FLEET_SEATS; i++)
        save_child(&master->children[i], i, saved);
    control_save(master->control, saved);
    /* The status process belongs to this program. The next program ends it and forks another. */
    upgrade_state_add(saved, "status-process", NULL,
                      SAVED_NUMBERS((uint64_t)status_process_pid(master->status)));
    return saved;
}

static int load_transfers(struct master *master)
{
    const struct saved_line *line = NULL;
    unsigned count = 0;
    while ((line = upgrade_state_next(master->saved, "post", line, 3)) != NULL) {
        if (line->numbers[0] >= master->service.slots)
            return -1;
        master->transfer_in[line->numbers[0]] = (int)line->numbers[1];
        master->transfer_out[line->numbers[0]] = (int)line->numbers[2];
        count++;
    }
    return count == master->service.slots ? 0 : -1;
}

static int load_children(struct master *master)
{
    const struct saved_line *line = NULL;
    unsigned count = 0;
    while ((line = upgrade_state_next(master->saved, "child", line, 9)) != NULL) {
        const uint64_t *numbers = line->numbers;
        if (numbers[0] != count || count >= master->count)
            return -1;
        master->children[count] = (struct child){
            .channel = {(int)numbers[1], (int)numbers[2]},
            .crash_pipe = {(int)numbers[3], (int)numbers[4]},
            .pid = (pid_t)numbers[5],
            .forked_ms = numbers[6],
            .requests_before = numbers[7],
            .killed = numbers[8],
        };
        workers_watch_seat(master, (struct seat_id){count / FLEET_SEATS, count % FLEET_SEATS});
        count++;
    }
    master->slots = count / FLEET_SEATS;
    unserved_slots_add_slot(master->unserved, master->slots - 1);
    return count > 0 && count % FLEET_SEATS == 0 ? 0 : -1;
}

static int load_workers(struct master *master)
{
    if (load_transfers(master) == 0 && load_children(master) == 0 &&
        fleet_load(master->fleet, master->saved) == 0)
        return 0;
    log_critical("what the running service left does not fit together");
    return -1;
}

static int open_slots(struct master *master)
{
    if (workers_open_slots(master) < 0)
        return -1;
    return master->saved != NULL ? load_workers(master) : 0;
}

static void end_status_process(const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "status-process", NULL, 1);
    if (line == NULL || line->numbers[0] == 0)
        return;
    kill((pid_t)line->numbers[0], SIGKILL);
    waitpid((pid_t)line->numbers[0], NULL, 0);
}

static void take_over(struct master *master)
{
    char message[1024];
    end_status_process(master->saved);
    upgrade_state_free(master->saved);
    master->saved = NULL;
    reap(master);
    reload_begin(master, message, sizeof(message));
}

static void drain(void *context)
{
    struct master *master = context;
    fleet_drain(master->fleet, clock_ms());
    master_follow_up(master);
}

/*
 * In the status process: closes what belongs to the master. Otherwise the workers would not notice
 * the end of the master, and other services would find the ports in use.
 */
static void let_go(void *context)
{
    struct master *master = context;
    notify_forget();
    control_forget(master->control);
    zygote_pool_forget(master->zygotes);
    if (master->resize_signals >= 0)
        close(master->resize_signals);
    scoreboard_forget(master->service.board);
    pid_file_forget(master->service.pid_file);
    access_log_free(master->access_log);
    for (unsigned i = 0; i < master->count; i++)
        child_close(&master->children[i]);
    for (unsigned i = 0; i < master->service.slots; i++) {
        close(master->transfer_out[i]);
        close(master->transfer_in[i]);
    }
    for (size_t i = 0; i < master->service.address_count; i++)
        address_close(&master->service.addresses[i], false);
}

/* True: the child is neither a worker nor a zygote. A zygote cannot pass it off as a worker. */
static bool is_another_child(void *context, pid_t pid)
{
    const struct master *master = context;
    return status_process_is(master->status, pid) || upgrade_is_checked_by(master->upgrade, pid) ||
           master->reading.pid == pid;
}

static void open_zygote_pool(struct master *master)
{
    const struct zygote_pool_setup setup = {
        .base = master->base,
        .children = master->children,
        .count = master->count,
        .describe = workers_describe,
        .failed = not_forked,
        .is_taken = is_another_child,
        .context = master,
    };
    if (master->options->preload)
        master->zygotes = zygote_pool_new(&setup);
}

static void open_upgrade(struct master *master)
{
    const struct upgrade_setup setup = {
        .base = master->base,
        .save = save,
        .context = master,
    };
    master->upgrade = upgrade_new(&setup);
}

/*
 * Blocks signals and does all that waits, because a signal that was caught and not obeyed would be
 * lost. Returns when the upgrade has failed, or when the moment has passed.
 */
static void be_upgraded(struct master *master)
{
    sigset_t before;
    sigprocmask(SIG_SETMASK, NULL, &before);
    master_hold_signals();
    master->empties = true;
    event_base_loop(master->base, EVLOOP_NONBLOCK);
    master->empties = false;
    if (!master->over && may_be_upgraded(master))
        upgrade_execute(master->upgrade);
    sigprocmask(SIG_SETMASK, &before, NULL);
}

static void run(struct master *master)
{
    open_signals(master);
    event_add(master->tick, &tick_time);
    if (master->saved != NULL)
        take_over(master);
    else
        fleet_start(master->fleet, clock_ms());
    master->over = fleet_phase(master->fleet) == FLEET_OVER;
    if (!master->over)
        master_follow_up(master);
    while (!master->over) {
        event_base_dispatch(master->base);
        if (!master->over)
            be_upgraded(master);
    }
    close_signals(master);
}

static void libevent_says(int severity, const char *text)
{
    log_limited(LOG_LIBEVENT, severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_WARNING, "libevent: %s", text);
}

int master_main(struct options *options, struct access_log *access_log, struct upgrade_state *saved)
{
    struct master master = {
        .pid = getpid(), .options = options, .access_log = access_log, .saved = saved, .resize_signals = -1};
    event_set_log_callback(libevent_says);
    log_limit_open();
    master.directory = directory_here();
    int status = service_open(&master.service, options, FLEET_SEATS, master.saved);
    if (status != EXIT_STOPPED)
        return status;
    log_share_gap(&master.service.board->service->error_log_gap);
    access_log_share_gap(access_log, &master.service.board->service->access_log_gap);
    privileges_limit();
    master.count = master.service.board->count;
    master.base = event_base_new();
    assert(master.base != NULL);
    master.due = evtimer_new(master.base, is_due, &master);
    helper_init(&master.reading, master.base);
    master.tick = event_new(master.base, -1, EV_PERSIST, tick, &master);
    graceful_stop_init(&master.graceful_stop, master.base, master.service.addresses,
                       master.service.address_count, drain, &master);
    status = EXIT_FAILURE_RUNTIME;
    workers_open_fleet(&master);
    if (open_slots(&master) == 0 && (status = open_control(&master)) == EXIT_STOPPED) {
        if (master.service.status != NULL)
            master.status = status_process_start(options, &master.service, master.base, let_go, &master);
        master.report = report_new(master.base, master.service.board, workers_ping, &master);
        open_zygote_pool(&master);
        open_upgrade(&master);
        run(&master);
        upgrade_free(master.upgrade);
        helper_fini(&master.reading);
        zygote_pool_free(master.zygotes);
        report_free(master.report);
        status = fleet_exit_status(master.fleet);
    }
    status_process_stop(master.status);
    control_close(master.control);
    log_share_gap(NULL);
    access_log_share_gap(access_log, NULL);
    service_close(&master.service);
    log_limit_tell(true);
    if (status == EXIT_STOPPED)
        log_info("stopped");
    return status;
}
