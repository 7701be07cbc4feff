/* The master's workers: slots and seats, messages, ends, and the fleet's actions. */
#include "master/workers.h"

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
#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "control/control.h"
#include "master/reload.h"
#include "preload/zygote_pool.h"
#include "proc/notify.h"
#include "proc/worker_end.h"
#include "py/stack.h"
#include "worker/worker.h"

/* Messages that the master reads from one seat in a turn: a worker has few to send. */
enum { MESSAGES_AT_ONCE = 16 };

static unsigned seat_number(struct seat_id seat_id)
{
    return seat_id.slot * FLEET_SEATS + seat_id.seat;
}

void workers_tell_all(struct master *master, enum message_kind kind)
{
    for (unsigned i = 0; i < master->count; i++)
        child_tell(&master->children[i], kind);
}

static void forget_master(const void *arg)
{
    const struct master *master = arg;
    control_forget(master->control);
    if (master->resize_signals >= 0)
        close(master->resize_signals);
    scoreboard_forget(master->service.board);
    pid_file_forget(master->service.pid_file);
    if (master->service.status != NULL)
        close(master->service.status->sockets[0]);
}

void workers_describe(void *context, unsigned number, unsigned generation, struct worker_setup *setup)
{
    struct master *master = context;
    const struct options *options = reload_options_of(master, generation);
    const struct child *child = &master->children[number];
    *setup = (struct worker_setup){
        .options = options,
        .directory = reload_directory_of(master, generation),
        .generation = generation,
        .addresses = master->service.addresses,
        .address_count = master->service.address_count,
        .master = master->pid,
        .slot = number / FLEET_SEATS,
        .unready = master->graceful_stop.state != GRACEFUL_STOP_NOT_YET,
        .worker_count = fleet_slots(master->fleet),
        .slots = master->service.slots,
        .board = master->service.board,
        .row = &master->service.board->rows[number],
        .calls = scoreboard_calls(master->service.board, number),
        .threads = (unsigned)options->threads,
        .channel = child->channel.worker,
        .transfer_out = master->transfer_out,
        .transfer_in = master->transfer_in,
        .crash_pipe = child->crash_pipe.worker,
        .access_log = master->access_log,
        .forget = forget_master,
        .master_state = master,
    };
}

static int fork_worker(void *context, struct seat_id seat_id, unsigned generation)
{
    struct master *master = context;
    struct worker_setup setup;
    workers_describe(master, seat_number(seat_id), generation, &setup);
    if (master->zygotes != NULL)
        return zygote_pool_ask(master->zygotes, seat_number(seat_id), generation);
    return child_fork(master->children, master->count, seat_number(seat_id), master->base, &setup);
}

static void reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    struct master *master = context;
    reload_finish(master, generation, failure == NULL);
    if (failure == NULL) {
        zygote_pool_keep(master->zygotes, generation);
        notify_ready("generation %u serves", generation);
    } else {
        zygote_pool_drop(master->zygotes, generation);
        notify_ready("not reloaded: %s", failure);
        reload_note_failure(master, failure, words);
    }
    control_reloaded(master->control, failure, words);
}

static void restarted(void *context, const struct worker_end *end, enum restart_cause cause)
{
    struct master *master = context;
    scoreboard_note_restart(master->service.board, end->slot, (uint32_t)end->pid, cause, end->how);
}

static void tell_worker(void *context, struct seat_id seat_id, enum message_kind kind)
{
    struct master *master = context;
    child_tell(&master->children[seat_number(seat_id)], kind);
}

static void kill_worker(void *context, struct seat_id seat_id, enum kill_reason why)
{
    struct master *master = context;
    child_kill(&master->children[seat_number(seat_id)], why);
    zygote_pool_kill(master->zygotes, seat_number(seat_id), why);
}

/*
 * Finds the process that imports the application for that seat, which may be a zygote, and its
 * crash pipe. False: there is no process.
 */
static bool find_importer(const struct master *master, struct seat_id seat_id, pid_t *pid,
                          const struct crash_pipe **words)
{
    unsigned number = seat_number(seat_id);
    const struct child *child = &master->children[number];
    const struct zygote_child *zygote = zygote_pool_importer(master->zygotes, number);
    *pid = zygote != NULL ? zygote->pid : child->pid;
    *words = zygote != NULL ? &zygote->crash_pipe : &child->crash_pipe;
    return *pid != 0;
}

static void ask_stacks(void *context, struct seat_id seat_id)
{
    const struct crash_pipe *words;
    pid_t pid;
    if (find_importer(context, seat_id, &pid, &words))
        kill(pid, STACKS_SIGNAL);
}

/* Workers that wait for one zygote are told of together: the first takes its words. */
static void boots_slowly(void *context, struct seat_id seat_id)
{
    static char text[CRASH_PIPE_MAX];
    const struct master *master = context;
    const struct crash_pipe *words;
    pid_t pid;
    if (!find_importer(master, seat_id, &pid, &words))
        return;
    size_t size = crash_pipe_take(words, text, sizeof(text));
    if (size > 0 || pid == master->children[seat_number(seat_id)].pid)
        log_block(LOG_WARNING, text, size,
                  "worker %u (pid %d) has not loaded the application within --timeout: it is waited for",
                  seat_id.slot, (int)pid);
}

/* True: the worker is stalled, or one of its calls has passed --timeout. */
static bool ails(void *context, struct seat_id seat_id)
{
    struct master *master = context;
    struct scoreboard *board = master->service.board;
    unsigned number = seat_number(seat_id);
    const struct scoreboard_call *calls = scoreboard_calls(board, number);
    uint64_t now = clock_ns(), timeout = (uint64_t)master->options->timeout * 1000000;
    bool late = false;
    for (unsigned i = 0; i < board->threads && timeout > 0; i++) {
        uint64_t since = scoreboard_get(calls[i].since_ns);
        late = late || (since != 0 && now > since && now - since > timeout);
    }
    return late || scoreboard_get(board->rows[number].stalled) != 0;
}

void workers_ping(void *context, unsigned number)
{
    struct master *master = context;
    child_tell(&master->children[number], MESSAGE_PING);
}

static pid_t pid_of_row(void *context, unsigned number)
{
    const struct master *master = context;
    return master->children[number].pid;
}

static void replace_stalled(void *context, unsigned number, enum replacement why)
{
    struct master *master = context;
    fleet_replace(master->fleet, master->messages[number].seat_id, why, clock_ms());
    master_follow_up(master);
}

void workers_open_fleet(struct master *master)
{
    const struct fleet_actions actions = {
        .fork = fork_worker,
        .tell = tell_worker,
        .kill = kill_worker,
        .ask_stacks = ask_stacks,
        .boots_slowly = boots_slowly,
        .ails = ails,
        .reloaded = reloaded,
        .restarted = restarted,
        .context = master,
    };
    struct fleet_limits limits;
    reload_limits(master, &limits);
    unsigned workers = (unsigned)master->options->workers;
    master->fleet = fleet_new(workers, &actions, &limits);
    master->unserved = unserved_slots_new(master->service.board, workers, master->service.addresses,
                                          master->service.address_count);
    const struct stalls_actions stalls = {workers_ping, replace_stalled, pid_of_row, master};
    master->stalls = stalls_new(master->service.board, master->unserved, &stalls);
}

static void worker_is_ready(struct master *master, struct seat_id seat_id)
{
    zygote_pool_ready(master->zygotes, seat_number(seat_id));
    fleet_ready(master->fleet, seat_id, clock_ms());
}

/* Without --reload none of our workers asks for a reload. */
static void reload_wanted(struct master *master)
{
    char message[1024];
    if (master->options->reload)
        reload_begin(master, message, sizeof(message));
}

static void messages_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct seat_messages *messages = arg;
    struct master *master = messages->master;
    enum message_kind kind;
    pid_t pid;
    /* A worker that never stops sending is read again in the next turn. */
    for (int i = 0; i < MESSAGES_AT_ONCE && worker_channel_receive(fd, &kind, &pid) > 0; i++) {
        zygote_pool_read(master->zygotes);
        if (pid != master->children[seat_number(messages->seat_id)].pid) {
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
    unsigned number = seat_number(messages->seat_id);
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

static struct seat_messages *messages_of_pid(struct master *master, pid_t pid)
{
    for (unsigned i = 0; i < master->count; i++)
        if (master->children[i].pid == pid)
            return &master->messages[i];
    return NULL;
}

bool workers_ended(struct master *master, pid_t pid, int status)
{
    struct seat_messages *messages = messages_of_pid(master, pid);
    if (messages != NULL)
        worker_ended(master, messages, status);
    return messages != NULL;
}

static int open_transfers(struct master *master)
{
    for (unsigned i = 0; i < master->service.slots; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
            log_critical("the pairs for connections cannot be made: %s", strerror(errno));
            return -1;
        }
        master->transfer_in[i] = ends[0];
        master->transfer_out[i] = ends[1];
    }
    return 0;
}

void workers_watch_seat(struct master *master, struct seat_id seat_id)
{
    unsigned number = seat_number(seat_id);
    struct seat_messages *messages = &master->messages[number];
    *messages = (struct seat_messages){.master = master, .seat_id = seat_id};
    messages->event = event_new(master->base, master->children[number].channel.master, EV_READ | EV_PERSIST,
                                messages_arrived, messages);
    event_add(messages->event, NULL);
}

static int open_seat(struct master *master, struct seat_id seat_id)
{
    unsigned number = seat_number(seat_id);
    if (child_open(&master->children[number]) < 0) {
        log_critical("a worker's channel cannot be made: %s", strerror(errno));
        return -1;
    }
    workers_watch_seat(master, seat_id);
    return 0;
}

/* Opens the seats of the next slot. Seats that are open already are from a try that failed. */
static int open_seats(struct master *master)
{
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++) {
        struct seat_id seat_id = {master->slots, seat};
        if (master->messages[seat_number(seat_id)].event == NULL && open_seat(master, seat_id) < 0)
            return -1;
    }
    return 0;
}

int workers_open_slots(struct master *master)
{
    unsigned workers = (unsigned)master->options->workers, slots = master->service.slots;
    master->transfer_out = xcalloc(slots, sizeof(*master->transfer_out));
    master->transfer_in = xcalloc(slots, sizeof(*master->transfer_in));
    master->children = xcalloc(master->count, sizeof(*master->children));
    master->messages = xcalloc(master->count, sizeof(*master->messages));
    for (unsigned i = 0; i < master->count; i++)
        master->children[i] = (struct child){.channel = {-1, -1}, .crash_pipe = {-1, -1}};
    if (master->saved != NULL)
        return 0;
    if (open_transfers(master) < 0)
        return -1;
    for (; master->slots < workers; master->slots++)
        if (open_seats(master) < 0)
            return -1;
    return 0;
}

/*
 * Makes the sockets of a slot listen that has never been used. Once a socket listens, clients come.
 * Some worker serves them, also when the other sockets fail.
 */
static int listen_more(struct master *master)
{
    const struct service *service = &master->service;
    if (open_seats(master) < 0)
        return -1;
    unserved_slots_add_slot(master->unserved, master->slots);
    for (size_t i = 0; i < service->address_count; i++)
        if (address_listen_more(&service->addresses[i], master->slots, (int)master->options->backlog) < 0)
            return -1;
    master->slots++;
    return 0;
}

void workers_change(struct master *master)
{
    char message[256];
    int change = master->more_workers;
    master->more_workers = 0;
    for (; change > 0; change--)
        if (workers_resize(master, 1, message, sizeof(message)) < 0)
            return;
    for (; change < 0; change++)
        if (workers_resize(master, -1, message, sizeof(message)) < 0)
            return;
}

int workers_resize(struct master *master, int change, char *message, size_t size)
{
    unsigned wanted = fleet_slots(master->fleet) + (unsigned)change;
    int r = -1;
    if (wanted == 0)
        snprintf(message, size, "one worker is the least");
    else if (wanted > master->service.slots)
        snprintf(message, size, "%u workers are the most without a restart: set --workers",
                 master->service.slots);
    else if (wanted > master->slots && listen_more(master) < 0)
        snprintf(message, size, "there can be no more workers: %s", strerror(errno));
    else if (fleet_resize(master->fleet, change, clock_ms()) < 0)
        snprintf(message, size, "the service starts, or stops");
    else
        r = 0;
    if (r < 0)
        log_warning("%s", message);
    master_follow_up(master);
    return r;
}
