/* The master's fleet: the fleet decides, and what it decides is done here. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "control/control.h"
#include "master/master_state.h"
#include "preload/zygote_child.h"
#include "proc/notify.h"
#include "py/stack.h"
#include "worker/worker.h"

/* So long a new generation's first worker serves beside its predecessor. Who develops has no traffic that would prove anything, and
 * waits. */
enum { PROVING_MS = 2000 };

static void forget(const void *arg)
{
    const struct master *master = arg;
    control_forget(master->control);
    master_forget_signals(master);
    scoreboard_forget(master->service.board);
    pid_file_forget(master->service.pid_file);
    if (master->service.status != NULL)
        close(master->service.status->sockets[0]);
}

void master_describe_worker(void *context, unsigned number, unsigned generation, struct worker_setup *setup)
{
    struct master *master = context;
    const struct options *options = master_options_of(master, generation);
    const struct child *child = &master->children[number];
    *setup = (struct worker_setup){
        .options = options,
        .directory = master_directory_of(master, generation),
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
        .forget = forget,
        .master_state = master,
    };
}

static int fork_worker(void *context, struct seat_id seat_id, unsigned generation)
{
    struct master *master = context;
    struct worker_setup setup;
    master_describe_worker(master, master_number_of(seat_id), generation, &setup);
    if (master->zygotes != NULL)
        return zygote_pool_ask(master->zygotes, master_number_of(seat_id), generation);
    return child_fork(master->children, master->count, master_number_of(seat_id), master->base, &setup);
}

void master_note_failed_reload(struct master *master, const char *failure, struct slice words)
{
    struct text text;
    if (!master->options->reload || fleet_phase(master->fleet) >= FLEET_DRAINING)
        return;
    text_init(&text);
    text_printf(&text, "not reloaded: %s\n", failure);
    text_add(&text, words.data, words.size);
    scoreboard_note_failed_reload(master->service.board, text.data, text.size);
    text_fini(&text);
}

static void reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    struct master *master = context;
    master_options_reloaded(master, generation, failure == NULL);
    if (failure == NULL) {
        zygote_pool_keep(master->zygotes, generation);
        notify_ready("generation %u serves", generation);
    } else {
        zygote_pool_drop(master->zygotes, generation);
        notify_ready("not reloaded: %s", failure);
        master_note_failed_reload(master, failure, words);
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
    child_tell(&master->children[master_number_of(seat_id)], kind);
}

static void kill_worker(void *context, struct seat_id seat_id, enum kill_reason why)
{
    struct master *master = context;
    child_kill(&master->children[master_number_of(seat_id)], why);
    zygote_pool_kill(master->zygotes, master_number_of(seat_id), why);
}

/* The process that imports the application for that seat, which may be a zygote, and where it speaks. False: none does. */
static bool find_importer(const struct master *master, struct seat_id seat_id, pid_t *pid,
                          const struct crash_pipe **words)
{
    unsigned number = master_number_of(seat_id);
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

/* Workers that wait for one zygote are told together: the first has its words. */
static void boots_slowly(void *context, struct seat_id seat_id)
{
    static char text[CRASH_PIPE_MAX];
    const struct master *master = context;
    const struct crash_pipe *words;
    pid_t pid;
    if (!find_importer(master, seat_id, &pid, &words))
        return;
    size_t size = crash_pipe_take(words, text, sizeof(text));
    if (size > 0 || pid == master->children[master_number_of(seat_id)].pid)
        log_block(LOG_WARNING, text, size,
                  "worker %u (pid %d) has not loaded the application within --timeout: it is waited for",
                  seat_id.slot, (int)pid);
}

/* It is stalled, or a call of it has passed --timeout. */
static bool ails(void *context, struct seat_id seat_id)
{
    struct master *master = context;
    struct scoreboard *board = master->service.board;
    unsigned number = master_number_of(seat_id);
    const struct scoreboard_call *calls = scoreboard_calls(board, number);
    uint64_t now = clock_ns(), timeout = (uint64_t)master->options->timeout * 1000000;
    bool late = false;
    for (unsigned i = 0; i < board->threads && timeout > 0; i++) {
        uint64_t since = scoreboard_get(calls[i].since_ns);
        late = late || (since != 0 && now > since && now - since > timeout);
    }
    return late || scoreboard_get(board->rows[number].stalled) != 0;
}

void master_ping_worker(void *context, unsigned number)
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

/* Those that the next generation gets, or the one that is being reloaded: it is loaded as slowly as they allow. */
static const struct options *newest_options(const struct master *master)
{
    if (master->pending != NULL)
        return master->pending;
    return master->newest.options != NULL ? master->newest.options : master->options;
}

void master_limits(const struct master *master, struct fleet_limits *limits)
{
    *limits = (struct fleet_limits){
        .slots = master->service.slots,
        .graceful_ms = (uint64_t)master->options->graceful_timeout,
        .boot_ms = (uint64_t)newest_options(master)->timeout,
        .proving_ms = master->options->reload ? 0 : PROVING_MS,
        .impatient = master->options->reload,
    };
}

void master_open_fleet(struct master *master)
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
    master_limits(master, &limits);
    unsigned workers = (unsigned)master->options->workers;
    master->fleet = fleet_new(workers, &actions, &limits);
    master->unserved = unserved_slots_new(master->service.board, workers, master->service.addresses,
                                          master->service.address_count);
    const struct stalls_actions stalls = {master_ping_worker, replace_stalled, pid_of_row, master};
    master->stalls = stalls_new(master->service.board, master->unserved, &stalls);
}
