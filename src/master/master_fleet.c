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
        .unready = master->farewell.state != FAREWELL_NOT_YET,
        .worker_count = fleet_slots(master->fleet),
        .slots = master->service.slots,
        .board = master->service.board,
        .row = &master->service.board->rows[number],
        .calls = scoreboard_calls(master->service.board, number),
        .threads = (unsigned)options->threads,
        .mailbox = child->mailbox.worker,
        .posts = master->posts,
        .inboxes = master->inboxes,
        .last_words = child->last_words.worker,
        .access_log = master->access_log,
        .forget = forget,
        .master_state = master,
    };
}

static int fork_worker(void *context, struct berth berth, unsigned generation)
{
    struct master *master = context;
    struct worker_setup setup;
    master_describe_worker(master, master_number_of(berth), generation, &setup);
    if (master->nursery != NULL)
        return nursery_ask(master->nursery, master_number_of(berth), generation);
    return child_fork(master->children, master->count, master_number_of(berth), master->base, &setup);
}

void master_note_setback(struct master *master, const char *failure, struct slice words)
{
    struct text text;
    if (!master->options->reload || fleet_phase(master->fleet) >= FLEET_DRAINING)
        return;
    text_init(&text);
    text_printf(&text, "not reloaded: %s\n", failure);
    text_add(&text, words.data, words.size);
    scoreboard_note_setback(master->service.board, text.data, text.size);
    text_fini(&text);
}

static void reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    struct master *master = context;
    master_options_reloaded(master, generation, failure == NULL);
    if (failure == NULL) {
        nursery_keep(master->nursery, generation);
        notify_ready("generation %u serves", generation);
    } else {
        nursery_drop(master->nursery, generation);
        notify_ready("not reloaded: %s", failure);
        master_note_setback(master, failure, words);
    }
    control_reloaded(master->control, failure, words);
}

static void restarted(void *context, const struct worker_end *end, enum restart_cause cause)
{
    struct master *master = context;
    scoreboard_note_restart(master->service.board, end->slot, (uint32_t)end->pid, cause, end->how);
}

static void tell_worker(void *context, struct berth berth, enum message_kind kind)
{
    struct master *master = context;
    child_tell(&master->children[master_number_of(berth)], kind);
}

static void kill_worker(void *context, struct berth berth, enum kill_reason why)
{
    struct master *master = context;
    child_kill(&master->children[master_number_of(berth)], why);
    nursery_kill(master->nursery, master_number_of(berth), why);
}

/* The process that imports the application for that seat, which may be a zygote, and where it speaks. False: none does. */
static bool find_importer(const struct master *master, struct berth berth, pid_t *pid,
                          const struct last_words **words)
{
    unsigned number = master_number_of(berth);
    const struct child *child = &master->children[number];
    const struct zygote_child *zygote = nursery_importer(master->nursery, number);
    *pid = zygote != NULL ? zygote->pid : child->pid;
    *words = zygote != NULL ? &zygote->last_words : &child->last_words;
    return *pid != 0;
}

static void ask_stacks(void *context, struct berth berth)
{
    const struct last_words *words;
    pid_t pid;
    if (find_importer(context, berth, &pid, &words))
        kill(pid, STACKS_SIGNAL);
}

/* Workers that wait for one zygote are told together: the first has its words. */
static void boots_slowly(void *context, struct berth berth)
{
    static char text[LAST_WORDS_MAX];
    const struct master *master = context;
    const struct last_words *words;
    pid_t pid;
    if (!find_importer(master, berth, &pid, &words))
        return;
    size_t size = last_words_take(words, text, sizeof(text));
    if (size > 0 || pid == master->children[master_number_of(berth)].pid)
        log_block(LOG_WARNING, text, size,
                  "worker %u (pid %d) has not loaded the application within --timeout: it is waited for",
                  berth.slot, (int)pid);
}

/* It is stalled, or a call of it has passed --timeout. */
static bool ails(void *context, struct berth berth)
{
    struct master *master = context;
    struct scoreboard *board = master->service.board;
    unsigned number = master_number_of(berth);
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
    fleet_replace(master->fleet, master->mail[number].berth, why, clock_ms());
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
    master->orphans =
        orphans_new(master->service.board, workers, master->service.addresses, master->service.address_count);
    const struct stalls_actions stalls = {master_ping_worker, replace_stalled, pid_of_row, master};
    master->stalls = stalls_new(master->service.board, master->orphans, &stalls);
}
