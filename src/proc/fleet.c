/* The fleet: which workers there should be, and when each comes and goes. */
#include "proc/fleet.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proc/backoff.h"
#include "proc/worker.h"

/* What workers get beyond their own deadline before they are killed. */
enum { KILL_GRACE_MS = 2000, STOP_GRACE_MS = 2000 };

enum seat_state {
    SEAT_EMPTY,
    SEAT_BOOTING, /* forked; imports the application */
    SEAT_SERVING,
    SEAT_LEAVING, /* told to finish what it has */
};

struct seat {
    enum seat_state state;
    uint64_t forked_ms;
    uint64_t deadline_ms; /* LEAVING: when it is killed; 0: it has been */
};

struct slot {
    struct seat seats[FLEET_SEATS];
    bool replace;      /* who serves is to be replaced */
    bool was_ready;    /* somebody has served here */
    uint64_t retry_ms; /* nobody is forked before */
    struct backoff backoff;
};

struct fleet {
    struct fleet_actions actions;
    uint64_t graceful_ms;
    enum fleet_phase phase;
    int exit_status;
    uint64_t started_ms;
    uint32_t random;
    unsigned ready; /* slots where somebody has served */
    unsigned count;
    struct slot slots[];
};

struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions, uint64_t graceful_ms)
{
    struct fleet *fleet = xcalloc(1, sizeof(*fleet) + slots * sizeof(fleet->slots[0]));
    fleet->actions = *actions;
    fleet->graceful_ms = graceful_ms;
    fleet->count = slots;
    return fleet;
}

void fleet_free(struct fleet *fleet)
{
    free(fleet);
}

enum fleet_phase fleet_phase(const struct fleet *fleet)
{
    return fleet->phase;
}

int fleet_exit_status(const struct fleet *fleet)
{
    return fleet->exit_status;
}

static bool is_stopping(const struct fleet *fleet)
{
    return fleet->phase >= FLEET_DRAINING;
}

/* The first seat of a slot in that state, or NULL. */
static struct seat *find(struct slot *slot, enum seat_state state)
{
    for (unsigned i = 0; i < FLEET_SEATS; i++)
        if (slot->seats[i].state == state)
            return &slot->seats[i];
    return NULL;
}

static struct berth berth_of(struct fleet *fleet, const struct slot *slot, const struct seat *seat)
{
    return (struct berth){(unsigned)(slot - fleet->slots), (unsigned)(seat - slot->seats)};
}

static void visit_all(struct fleet *fleet, uint64_t now,
                      void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    for (unsigned i = 0; i < fleet->count; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            visit(fleet, &fleet->slots[i], &fleet->slots[i].seats[j], now);
}

static void end(struct fleet *fleet, int exit_status)
{
    fleet->phase = FLEET_OVER;
    fleet->exit_status = exit_status;
}

/* Nothing was served, and nothing will be. */
static void first_fork_failed(struct fleet *fleet)
{
    log_critical("the first worker can not be forked: %s", strerror(errno));
    end(fleet, EXIT_FAILURE_RUNTIME);
}

static void fork_failed(const struct fleet *fleet, struct slot *slot, uint64_t now)
{
    log_error("worker %u can not be forked: %s; the next try is in %d s", (unsigned)(slot - fleet->slots),
              strerror(errno), BACKOFF_MAX_MS / 1000);
    slot->retry_ms = now + BACKOFF_MAX_MS;
}

/* Nobody serves, or is about to; or who serves is to be replaced; and there is a seat. */
static struct seat *wanted_seat(const struct fleet *fleet, struct slot *slot)
{
    if (is_stopping(fleet) || (fleet->phase == FLEET_STARTING && slot != fleet->slots))
        return NULL;
    if (find(slot, SEAT_BOOTING) != NULL || (find(slot, SEAT_SERVING) != NULL && !slot->replace))
        return NULL;
    return find(slot, SEAT_EMPTY);
}

static void fill(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    struct seat *seat = wanted_seat(fleet, slot);
    if (seat == NULL || slot->retry_ms > now)
        return;
    if (fleet->actions.fork(fleet->actions.context, berth_of(fleet, slot, seat)) == 0)
        *seat = (struct seat){.state = SEAT_BOOTING, .forked_ms = now};
    else if (fleet->phase == FLEET_STARTING)
        first_fork_failed(fleet);
    else
        fork_failed(fleet, slot, now);
}

static void fill_all(struct fleet *fleet, uint64_t now)
{
    for (unsigned i = 0; i < fleet->count; i++)
        fill(fleet, &fleet->slots[i], now);
}

void fleet_start(struct fleet *fleet, uint64_t now)
{
    fleet->started_ms = now;
    fleet->random = (uint32_t)now;
    fill_all(fleet, now);
}

static void tell_to_leave(struct fleet *fleet, struct slot *slot, struct seat *seat, enum message_kind kind,
                          uint64_t deadline_ms)
{
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = deadline_ms;
    fleet->actions.tell(fleet->actions.context, berth_of(fleet, slot, seat), kind);
}

static void kill_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    (void)now;
    if (seat->state == SEAT_EMPTY)
        return;
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = 0;
    fleet->actions.kill(fleet->actions.context, berth_of(fleet, slot, seat));
}

/* Nobody has to serve here any longer who did. */
static void relieve(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    struct seat *predecessor = find(slot, SEAT_SERVING);
    slot->replace = false;
    if (predecessor != NULL)
        tell_to_leave(fleet, slot, predecessor, MESSAGE_RETIRE, now + fleet->graceful_ms + KILL_GRACE_MS);
}

static void note_first_ready(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    if (slot->was_ready)
        return;
    slot->was_ready = true;
    if (++fleet->ready == fleet->count)
        log_info("ready in %.2f s", (double)(now - fleet->started_ms) / 1000);
}

void fleet_ready(struct fleet *fleet, struct berth berth, uint64_t now)
{
    struct slot *slot = &fleet->slots[berth.slot];
    struct seat *seat = &slot->seats[berth.seat];
    if (seat->state != SEAT_BOOTING)
        return;
    relieve(fleet, slot, now);
    seat->state = SEAT_SERVING;
    log_debug("worker %u is ready", berth.slot);
    if (fleet->phase == FLEET_STARTING) {
        fleet->phase = FLEET_SERVING;
        fill_all(fleet, now);
    }
    note_first_ready(fleet, slot, now);
}

void fleet_replace(struct fleet *fleet, struct berth berth, uint64_t now)
{
    struct slot *slot = &fleet->slots[berth.slot];
    if (is_stopping(fleet) || slot->seats[berth.seat].state != SEAT_SERVING)
        return;
    slot->replace = true;
    fill(fleet, slot, now);
}

/* What is said of a worker that should have lived: how it ended, and what now. */
static void __attribute__((format(printf, 3, 4)))
say(const struct fleet_end *end, unsigned slot, const char *format, ...)
{
    char next[128];
    va_list args;
    va_start(args, format);
    vsnprintf(next, sizeof(next), format, args);
    va_end(args);
    log_block(LOG_ERROR, end->last_words.data, end->last_words.size, "worker %u (pid %d) %s; %s", slot,
              (int)end->pid, end->how, next);
}

/* The first worker ended before it was ready: nothing was ever served. One that failed has told why. */
static void start_failed(struct fleet *fleet, const struct fleet_end *ended)
{
    if (ended->state == WORKER_LOADED)
        log_block(LOG_ERROR, ended->last_words.data, ended->last_words.size,
                  "the first worker can not serve: it %s", ended->how);
    else if (ended->state != WORKER_FAILED)
        log_block(LOG_ERROR, ended->last_words.data, ended->last_words.size,
                  "the application could not be loaded: the process that imported it %s", ended->how);
    end(fleet, ended->state == WORKER_LOADED ? EXIT_FAILURE_RUNTIME : EXIT_APPLICATION);
}

/* One that served, or was to. */
static void lost(struct fleet *fleet, struct slot *slot, const struct seat *seat,
                 const struct fleet_end *ended, uint64_t now)
{
    unsigned number = (unsigned)(slot - fleet->slots);
    fleet->random = fleet->random * 1103515245 + 12345;
    uint64_t pause = backoff_next(&slot->backoff, now - seat->forked_ms, fleet->random >> 16);
    slot->retry_ms = now + pause;
    if (find(slot, SEAT_BOOTING) != NULL)
        say(ended, number, "its successor is on its way");
    else if (find(slot, SEAT_SERVING) != NULL)
        say(ended, number, "its predecessor stays; the next try is in %.1f s", (double)pause / 1000);
    else if (pause == 0)
        say(ended, number, "it is replaced now");
    else
        say(ended, number, "it is replaced in %.1f s", (double)pause / 1000);
}

/* One that was told to leave. */
static void has_left(struct fleet *fleet, const struct slot *slot, const struct fleet_end *ended)
{
    bool served = ended->state == WORKER_READY || ended->state == WORKER_DRAINING;
    unsigned number = (unsigned)(slot - fleet->slots);
    if (!ended->as_asked && served)
        log_block(LOG_WARNING, ended->last_words.data, ended->last_words.size, "worker %u (pid %d) %s",
                  number, (int)ended->pid, ended->how);
    else
        log_debug("worker %u (pid %d) has left", number, (int)ended->pid);
}

static bool is_empty(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->count; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (fleet->slots[i].seats[j].state != SEAT_EMPTY)
                return false;
    return true;
}

void fleet_ended(struct fleet *fleet, struct berth berth, const struct fleet_end *ended, uint64_t now)
{
    struct slot *slot = &fleet->slots[berth.slot];
    struct seat before = slot->seats[berth.seat];
    slot->seats[berth.seat].state = SEAT_EMPTY;
    if (before.state == SEAT_SERVING)
        slot->replace = false; /* nobody is left whom a successor would replace */
    if (fleet->phase == FLEET_STARTING)
        start_failed(fleet, ended);
    else if (before.state == SEAT_LEAVING)
        has_left(fleet, slot, ended);
    else
        lost(fleet, slot, &before, ended, now);
    if (is_stopping(fleet) && is_empty(fleet))
        fleet->phase = FLEET_OVER;
    fill(fleet, slot, now);
}

/* One that is still importing does not read its mail, and has nothing to finish. */
static void drain_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        kill_seat(fleet, slot, seat, now);
    else if (seat->state == SEAT_SERVING)
        tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, now + fleet->graceful_ms + KILL_GRACE_MS);
}

static void quit_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        kill_seat(fleet, slot, seat, now);
    else if (seat->state != SEAT_EMPTY)
        tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, now + STOP_GRACE_MS);
}

static void stop(struct fleet *fleet, enum fleet_phase phase, uint64_t now,
                 void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    fleet->phase = phase;
    visit_all(fleet, now, visit);
    if (is_empty(fleet))
        fleet->phase = FLEET_OVER;
}

void fleet_drain(struct fleet *fleet, uint64_t now)
{
    if (is_stopping(fleet))
        return;
    log_info("stopping: requests in progress are finished");
    stop(fleet, FLEET_DRAINING, now, drain_seat);
}

void fleet_quit(struct fleet *fleet, uint64_t now)
{
    if (fleet->phase == FLEET_OVER)
        return;
    bool again = fleet->phase >= FLEET_STOPPING;
    log_info(again ? "stopping at once" : "stopping quickly");
    stop(fleet, again ? FLEET_KILLING : FLEET_STOPPING, now, again ? kill_seat : quit_seat);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t fleet_due(const struct fleet *fleet)
{
    uint64_t due = 0;
    for (unsigned i = 0; i < fleet->count; i++) {
        /* Only looked at. */
        struct slot *slot = (struct slot *)&fleet->slots[i];
        if (wanted_seat(fleet, slot) != NULL)
            due = earlier(due, slot->retry_ms);
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (slot->seats[j].state == SEAT_LEAVING)
                due = earlier(due, slot->seats[j].deadline_ms);
    }
    return due;
}

static void kill_overdue(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_LEAVING && seat->deadline_ms != 0 && seat->deadline_ms <= now)
        kill_seat(fleet, slot, seat, now);
}

void fleet_tick(struct fleet *fleet, uint64_t now)
{
    visit_all(fleet, now, kill_overdue);
    fill_all(fleet, now);
}
