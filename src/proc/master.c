/* The master: its states, its signals, its workers. */
#include "proc/master.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "proc/slots.h"
#include "proc/startup.h"
#include "proc/worker.h"
#include "py/interp.h"

enum master_state {
    MASTER_STARTING, /* the first worker imports the application, alone */
    MASTER_SERVING,
    MASTER_DRAINING, /* TERM: workers finish what they have */
    MASTER_STOPPING, /* INT, QUIT: workers leave now */
    MASTER_KILLING,  /* nobody is asked any more */
};

/* What workers get beyond their own deadline before they are killed. */
enum { KILL_GRACE_MS = 2000, STOP_GRACE_MS = 2000 };

struct master {
    struct options *options;
    struct access_log *access_log;
    struct service service; /* addresses and the scoreboard */
    struct event_base *base;
    struct event *deadline;
    enum master_state state;
    unsigned ready_count;
    int exit_status;
    uint64_t started_ms;
    uint32_t random;
    struct slot *slots;
    unsigned slot_count;
};

static struct scoreboard_row *row_of(struct master *master, const struct slot *slot)
{
    return &master->service.board->rows[slot->number];
}

static bool is_stopping(const struct master *master)
{
    return master->state >= MASTER_DRAINING;
}

static void set_timer(struct event *event, int64_t ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    event_add(event, &tv);
}

static void leave_when_empty(struct master *master)
{
    for (unsigned i = 0; i < master->slot_count; i++)
        if (master->slots[i].pid != 0)
            return;
    event_base_loopbreak(master->base);
}

static void fork_worker(struct master *master, struct slot *slot)
{
    struct worker_setup setup = {
        .options = master->options,
        .addresses = master->service.addresses,
        .address_count = master->service.address_count,
        .master = getpid(),
        .slot = slot->number,
        .worker_count = master->slot_count,
        .row = row_of(master, slot),
        .calls = scoreboard_calls(master->service.board, slot->number),
        .threads = (unsigned)master->options->threads,
        .mailbox = slot->mailbox.worker,
        .access_log = master->access_log,
    };
    if (slot_fork(master->slots, master->slot_count, slot->number, master->base, &setup) == 0)
        return;
    if (master->state == MASTER_STARTING) {
        log_critical("the first worker can not be forked: %s", strerror(errno));
        master->exit_status = EXIT_FAILURE_RUNTIME;
        master->state = MASTER_KILLING;
        return;
    }
    log_error("worker %u can not be forked: %s; the next try is in %d s", slot->number, strerror(errno),
              BACKOFF_MAX_MS / 1000);
    set_timer(slot->retry, BACKOFF_MAX_MS);
}

static void retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct slot *slot = arg;
    struct master *master = slot->master;
    if (!is_stopping(master) && slot->pid == 0)
        fork_worker(master, slot);
}

/* The application can be loaded: the others may follow. */
static void start_serving(struct master *master)
{
    master->state = MASTER_SERVING;
    for (unsigned i = 0; i < master->slot_count; i++)
        if (master->slots[i].pid == 0)
            fork_worker(master, &master->slots[i]);
}

static void worker_is_ready(struct master *master, struct slot *slot)
{
    bool first_time = !slot->was_ready;
    slot->was_ready = true;
    log_debug("worker %u (pid %d) is ready", slot->number, (int)slot->pid);
    if (master->state == MASTER_STARTING)
        start_serving(master);
    if (first_time && master->ready_count < master->slot_count && ++master->ready_count == master->slot_count)
        log_info("ready in %.2f s", (double)(clock_ms() - master->started_ms) / 1000);
}

static void mail_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct slot *slot = arg;
    enum message_kind kind;
    pid_t pid;
    while (mailbox_receive(fd, &kind, &pid) > 0)
        if (kind == MESSAGE_READY && pid == slot->pid && !is_stopping(slot->master))
            worker_is_ready(slot->master, slot);
}

/* The first worker ended before it was ready: nothing was ever served. One that failed has told why. */
static void start_failed(struct master *master, enum worker_state state, const char *how)
{
    if (state == WORKER_LOADED)
        log_error("the first worker can not serve: it %s", how);
    else if (state != WORKER_FAILED)
        log_error("the application could not be loaded: the process that imported it %s", how);
    master->exit_status = state == WORKER_LOADED ? EXIT_FAILURE_RUNTIME : EXIT_APPLICATION;
    master->state = MASTER_KILLING;
}

static void replace(struct master *master, struct slot *slot, pid_t pid, const char *how)
{
    master->random = master->random * 1103515245 + 12345;
    uint64_t pause = backoff_next(&slot->backoff, clock_ms() - slot->forked_ms, master->random >> 16);
    if (pause == 0)
        log_error("worker %u (pid %d) %s; it is replaced now", slot->number, (int)pid, how);
    else
        log_error("worker %u (pid %d) %s; it is replaced in %.1f s", slot->number, (int)pid, how,
                  (double)pause / 1000);
    set_timer(slot->retry, (int64_t)pause);
}

static void worker_ended(struct master *master, struct slot *slot, int status)
{
    char how[512];
    pid_t pid = slot->pid;
    enum worker_state state = scoreboard_get(row_of(master, slot)->state);
    slot_reap(slot, master->service.board, status, how, sizeof(how));
    if (master->state == MASTER_STARTING)
        start_failed(master, state, how);
    else if (!is_stopping(master))
        replace(master, slot, pid, how);
    else if (slot->was_ready && (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_STOPPED))
        log_warning("worker %u (pid %d) %s", slot->number, (int)pid, how);
    if (is_stopping(master))
        leave_when_empty(master);
}

static struct slot *slot_of_pid(struct master *master, pid_t pid)
{
    for (unsigned i = 0; i < master->slot_count; i++)
        if (master->slots[i].pid == pid)
            return &master->slots[i];
    return NULL;
}

/* As process 1 of a container the master also inherits orphans: reaped, and nobody's concern. */
static void child_ended(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        struct slot *slot = slot_of_pid(master, pid);
        if (slot != NULL)
            worker_ended(master, slot, status);
    }
}

static void tell_all(struct master *master, enum message_kind kind)
{
    for (unsigned i = 0; i < master->slot_count; i++)
        slot_tell(&master->slots[i], row_of(master, &master->slots[i]), kind);
}

static void kill_all(struct master *master)
{
    master->state = MASTER_KILLING;
    for (unsigned i = 0; i < master->slot_count; i++)
        slot_kill(&master->slots[i]);
}

static void deadline_passed(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    kill_all(arg);
}

static void stop_gracefully(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    if (is_stopping(master))
        return;
    log_info("stopping: requests in progress are finished");
    master->state = MASTER_DRAINING;
    tell_all(master, MESSAGE_DRAIN);
    set_timer(master->deadline, master->options->graceful_timeout + KILL_GRACE_MS);
    leave_when_empty(master);
}

static void stop_quickly(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    if (master->state >= MASTER_STOPPING) {
        log_info("stopping at once");
        kill_all(master);
        return;
    }
    log_info("stopping quickly");
    master->state = MASTER_STOPPING;
    tell_all(master, MESSAGE_QUIT);
    set_timer(master->deadline, STOP_GRACE_MS);
    leave_when_empty(master);
}

static void reopen_logs(evutil_socket_t signal, short what, void *arg)
{
    (void)signal, (void)what;
    struct master *master = arg;
    if (log_reopen() < 0)
        log_error("--error-logfile: %s can not be opened: %s", master->options->error_logfile,
                  strerror(errno));
    if (master->access_log != NULL && access_log_reopen(master->access_log) < 0)
        log_error("--access-logfile: %s can not be opened: %s", master->options->access_logfile,
                  strerror(errno));
    tell_all(master, MESSAGE_REOPEN);
}

static void not_supported(evutil_socket_t signal, short what, void *arg)
{
    (void)what, (void)arg;
    log_warning("this version does nothing on SIG%s", sigabbrev_np((int)signal));
}

static const struct {
    int number;
    void (*handle)(evutil_socket_t signal, short what, void *arg);
} signals[] = {
    {SIGCHLD, child_ended}, {SIGTERM, stop_gracefully}, {SIGINT, stop_quickly},   {SIGQUIT, stop_quickly},
    {SIGUSR1, reopen_logs}, {SIGHUP, not_supported},    {SIGUSR2, not_supported},
};
enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static void mask_signals(int how)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNALS; i++)
        sigaddset(&set, signals[i].number);
    sigprocmask(how, &set, NULL);
}

void master_hold_signals(void)
{
    /* A handler would be called for ever by a log record written from the background of a terminal with tostop. */
    signal(SIGTTIN, SIG_IGN);
    signal(SIGTTOU, SIG_IGN);
    mask_signals(SIG_BLOCK);
}

static int open_slots(struct master *master)
{
    master->slots = xcalloc(master->slot_count, sizeof(*master->slots));
    for (unsigned i = 0; i < master->slot_count; i++) {
        struct slot *slot = &master->slots[i];
        slot->number = i;
        slot->master = master;
        if (mailbox_open(&slot->mailbox) < 0) {
            log_critical("worker %u's mailbox can not be made: %s", i, strerror(errno));
            return -1;
        }
        slot->retry = evtimer_new(master->base, retry, slot);
        slot->mail = event_new(master->base, slot->mailbox.master, EV_READ | EV_PERSIST, mail_arrived, slot);
        event_add(slot->mail, NULL);
    }
    return 0;
}

static void run(struct master *master)
{
    struct event *events[SIGNALS];
    for (int i = 0; i < SIGNALS; i++) {
        events[i] = evsignal_new(master->base, signals[i].number, signals[i].handle, master);
        event_add(events[i], NULL);
    }
    mask_signals(SIG_UNBLOCK);
    fork_worker(master, &master->slots[0]);
    if (!is_stopping(master))
        event_base_dispatch(master->base);
    for (int i = 0; i < SIGNALS; i++)
        event_free(events[i]);
}

static void libevent_says(int severity, const char *text)
{
    log_write(severity == EVENT_LOG_ERR ? LOG_ERROR : LOG_WARNING, "libevent: %s", text);
}

int master_main(struct options *options, struct access_log *access_log)
{
    struct master master = {.options = options, .access_log = access_log, .started_ms = clock_ms()};
    event_set_log_callback(libevent_says);
    int status = service_open(&master.service, options);
    if (status != EXIT_STOPPED)
        return status;
    master.slot_count = master.service.board->slots;
    master.random = (uint32_t)getpid() ^ (uint32_t)master.started_ms;
    master.base = event_base_new();
    assert(master.base != NULL);
    master.deadline = evtimer_new(master.base, deadline_passed, &master);
    if (open_slots(&master) == 0)
        run(&master);
    else
        master.exit_status = EXIT_FAILURE_RUNTIME;
    service_close(&master.service);
    if (master.exit_status == EXIT_STOPPED)
        log_info("stopped");
    return master.exit_status;
}
