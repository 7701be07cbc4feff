/* The master: its workers' messages and their ends; what becomes of them is the fleet's business. */
#include "base/exit_status.h"
#include "master/master_state.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "control/control.h"
#include "options/environment.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "proc/worker_end.h"

void master_tell_all(struct master *master, enum message_kind kind)
{
    for (unsigned i = 0; i < master->count; i++)
        child_tell(&master->children[i], kind);
}

/* Now: nobody's start or question would be cut off. */
static bool may_be_upgraded(const struct master *master)
{
    return upgrade_is_due(master->upgrade) && fleet_is_calm(master->fleet) &&
           master_configuration_is_over(master) && control_is_quiet(master->control);
}

/* Not from within the loop, see be_upgraded; and there, all that waits is done first. */
static void look_for_upgrade(const struct master *master)
{
    if (!master->empties && may_be_upgraded(master))
        event_base_loopbreak(master->base);
}

/* Of one seat: a worker has few things to say. */
enum { MESSAGES_AT_ONCE = 16 };

static const struct timeval tick_time = {.tv_usec = STALLS_LOOK_MS * 1000};

static void tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct master *master = arg;
    if (master->graceful_stop.state == GRACEFUL_STOP_NOT_YET) {
        if (unserved_slots_tick(master->unserved))
            master_tell_all(master, MESSAGE_UNSERVED);
        stalls_look(master->stalls, master->options);
    }
    log_limit_tell(false);
    look_for_upgrade(master); /* who was being answered has left */
}

/* After everything that the fleet was told. */
void master_follow_up(struct master *master)
{
    master_change_workers(master);
    uint64_t due = fleet_due(master->fleet), now = clock_ms();
    bool stops = master->graceful_stop.state != GRACEFUL_STOP_NOT_YET;
    struct fleet_status status;
    if (!stops && unserved_slots_look(master->unserved))
        master_tell_all(master, MESSAGE_UNSERVED);
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

static void worker_is_ready(struct master *master, struct seat_id seat_id)
{
    zygote_pool_ready(master->zygotes, master_number_of(seat_id));
    fleet_ready(master->fleet, seat_id, clock_ms());
}

/* Without --reload no worker of ours asks for it. */
static void reload_wanted(struct master *master)
{
    char message[1024];
    if (master->options->reload)
        master_reload(master, message, sizeof(message));
}

void master_messages_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct seat_messages *messages = arg;
    struct master *master = messages->master;
    enum message_kind kind;
    pid_t pid;
    /* A worker that never stops sending is heard again in the next turn. */
    for (int i = 0; i < MESSAGES_AT_ONCE && worker_channel_receive(fd, &kind, &pid) > 0; i++) {
        zygote_pool_read(master->zygotes);
        if (pid != master->children[master_number_of(messages->seat_id)].pid) {
            if (kind == MESSAGE_READY)
                zygote_pool_refuse(master->zygotes, pid);
            continue;
        }
        if (kind == MESSAGE_READY)
            worker_is_ready(master, messages->seat_id);
        else if (kind == MESSAGE_RECYCLE)
            fleet_replace(master->fleet, messages->seat_id, REPLACE_PLANNED, clock_ms());
        else if (kind == MESSAGE_REPLACE)
            fleet_replace(master->fleet, messages->seat_id, REPLACE_ASKED, clock_ms());
        else if (kind == MESSAGE_STUCK)
            fleet_replace(master->fleet, messages->seat_id, REPLACE_STUCK, clock_ms());
        else if (kind == MESSAGE_RELOAD)
            reload_wanted(master);
    }
    master_follow_up(master);
}

static void worker_ended(struct master *master, struct seat_messages *messages, int status)
{
    unsigned number = master_number_of(messages->seat_id);
    struct child *child = &master->children[number];
    struct scoreboard *board = master->service.board;
    struct scoreboard_row *row = &board->rows[number];
    static char how[DEATH_MAX], words[CRASH_PIPE_MAX];
    struct worker_end end = {
        .slot = messages->seat_id.slot,
        .pid = child->pid,
        .state = scoreboard_get(row->state),
        .as_asked = WIFEXITED(status) && WEXITSTATUS(status) == EXIT_STOPPED,
        .how = how,
        .crash_pipe = {words, crash_pipe_take(&child->crash_pipe, words, sizeof(words))},
    };
    end.cause =
        child_reap(child, row, scoreboard_calls(board, number), board->threads, status, how, sizeof(how));
    fleet_ended(master->fleet, messages->seat_id, &end, clock_ms());
}

static struct seat_messages *message_of_pid(struct master *master, pid_t pid)
{
    for (unsigned i = 0; i < master->count; i++)
        if (master->children[i].pid == pid)
            return &master->messages[i];
    return NULL;
}

/* One that can be waited for: the next, or 0. */
static pid_t find_dead(void)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 ? info.si_pid : 0;
}

/* As process 1 of a container, and with zygotes, the master also inherits unserved slots: reaped, and nobody's concern. Until then the pid
 * is not another's, and a zygote may be about to say that it is a worker. */
void master_reap(struct master *master)
{
    int status;
    pid_t pid;
    while ((pid = find_dead()) > 0) {
        zygote_pool_read(master->zygotes);
        waitpid(pid, &status, 0);
        if (status_process_ended(master->status, pid, status) ||
            upgrade_ended(master->upgrade, pid, status) || master_configuration_ended(master, pid, status))
            continue;
        struct seat_messages *messages = message_of_pid(master, pid);
        if (messages != NULL)
            worker_ended(master, messages, status);
        else
            zygote_pool_reap(master->zygotes, pid, status);
    }
    master_follow_up(master);
}

static void drain(void *context)
{
    struct master *master = context;
    fleet_drain(master->fleet, clock_ms());
    master_follow_up(master);
}

/* In the status process, which would keep from the workers that the master is gone, and from others that the ports are free. */
static void let_go(void *context)
{
    struct master *master = context;
    notify_forget();
    control_forget(master->control);
    zygote_pool_forget(master->zygotes);
    master_forget_signals(master);
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

/* The child is neither a worker nor a zygote: a zygote may not pass it off as a worker. */
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
        .describe = master_describe_worker,
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
        .save = master_save,
        .context = master,
    };
    master->upgrade = upgrade_new(&setup);
}

/* Signals that were caught and not obeyed yet would be lost. Returns when it failed, or is not the moment any more. */
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
    master_open_signals(master);
    event_add(master->tick, &tick_time);
    if (master->saved != NULL)
        master_take_over(master);
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
    master_close_signals(master);
}

static void libevent_says(int severity, const char *text)
{
    log_limited(LOG_LIBEVENT, severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_WARNING, "libevent: %s", text);
}

int master_main(struct options *options, struct access_log *access_log, struct upgrade_state *saved)
{
    struct master master = {.pid = getpid(), .options = options, .access_log = access_log, .saved = saved};
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
    master_open_fleet(&master);
    if (master_open_slots(&master) == 0 && (status = master_open_control(&master)) == EXIT_STOPPED) {
        if (master.service.status != NULL)
            master.status = status_process_start(options, &master.service, master.base, let_go, &master);
        master.report = report_new(master.base, master.service.board, master_ping_worker, &master);
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
