/* The fleet: which workers there should be, and when each comes and goes. */
#include "fleet/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/mem.h"
#include "proc/python_end.h"

/* The time beyond --graceful-timeout that a worker has to leave before it is killed. */
enum { GRACE_MS = 2000 };

/* The time that Python has to write the stacks of a worker that imports, on a busy machine. */
enum { STACKS_MS = 1000 };

enum reload_state {
    RELOAD_NONE,
    RELOAD_PROBING, /* the first worker of the new generation has to prove itself */
    RELOAD_ROLLING, /* the probe has: one slot after the other gets a worker */
};

struct fleet {
    struct fleet_actions actions;
    struct fleet_limits limits;
    enum fleet_phase phase;
    enum reload_state reload;
    bool reload_again;
    unsigned generation; /* of all workers; while PROBING of the probe alone */
    unsigned proven;     /* the last of which a worker has served */
    unsigned reloads;    /* begun so far */
    unsigned lost;
    uint64_t reload_ms; /* the begin of the reload */
    int exit_status;
    uint64_t started_ms;
    uint32_t random;
    unsigned starting; /* slots at the start */
    unsigned ready;    /* of these slots, those where a worker has served */
    unsigned count;    /* slots where a worker should serve */
    unsigned maximum;  /* the most slots that there can be */
    struct slot slots[];
};

/* The time of a worker that is told to quit, until it is killed. */
enum { HURRY_MS = 2000 };

struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions,
                        const struct fleet_limits *limits)
{
    unsigned maximum = slots > limits->slots ? slots : limits->slots;
    struct fleet *fleet = xcalloc(1, sizeof(*fleet) + maximum * sizeof(fleet->slots[0]));
    fleet->actions = *actions;
    fleet->limits = *limits;
    fleet->generation = fleet->proven = 1;
    fleet->count = fleet->starting = slots;
    fleet->maximum = maximum;
    for (unsigned i = 0; i < slots; i++)
        fleet->slots[i].used = true;
    return fleet;
}

void fleet_limit(struct fleet *fleet, const struct fleet_limits *limits)
{
    fleet->limits = *limits;
}

void fleet_free(struct fleet *fleet)
{
    free(fleet);
}

enum fleet_phase fleet_phase(const struct fleet *fleet)
{
    return fleet->phase;
}

void fleet_describe(const struct fleet *fleet, struct fleet_status *status)
{
    *status = (struct fleet_status){
        .phase = fleet->phase,
        .reloading = fleet->reload != RELOAD_NONE,
        .reloads = fleet->reloads,
        .generation = fleet->proven,
        .lost = fleet->lost,
        .started_ms = fleet->started_ms,
    };
}

enum seat_state fleet_seat(const struct fleet *fleet, struct seat_id seat_id)
{
    return fleet->slots[seat_id.slot].seats[seat_id.seat].state;
}

unsigned fleet_slots(const struct fleet *fleet)
{
    return fleet->count;
}

int fleet_exit_status(const struct fleet *fleet)
{
    return fleet->exit_status;
}

static bool fleet_is_stopping(const struct fleet *fleet)
{
    return fleet->phase >= FLEET_DRAINING;
}

static bool fleet_is_empty(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (fleet->slots[i].seats[j].state != SEAT_EMPTY)
                return false;
    return true;
}

static struct seat_id fleet_seat_id(struct fleet *fleet, const struct slot *slot, const struct seat *seat)
{
    return (struct seat_id){(unsigned)(slot - fleet->slots), (unsigned)(seat - slot->seats)};
}

static void fleet_visit_seats(struct fleet *fleet, uint64_t now,
                              void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat,
                                            uint64_t now))
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            visit(fleet, &fleet->slots[i], &fleet->slots[i].seats[j], now);
}

static void fleet_end(struct fleet *fleet, int exit_status)
{
    fleet->phase = FLEET_OVER;
    fleet->exit_status = exit_status;
}

/* Ends the fleet: nothing was served, and nothing will be. */
static void fleet_first_fork_failed(struct fleet *fleet)
{
    log_critical("the first worker cannot be forked: %s", strerror(errno));
    fleet_end(fleet, EXIT_FAILURE_RUNTIME);
}

static void fleet_fork_failed(const struct fleet *fleet, struct slot *slot, uint64_t now)
{
    log_error("worker %u cannot be forked: %s; the next try is in %d s", (unsigned)(slot - fleet->slots),
              strerror(errno), BACKOFF_MAX_MS / 1000);
    slot->retry_ms = now + BACKOFF_MAX_MS;
}

static struct seat *fleet_find_probe(struct fleet *fleet)
{
    for (unsigned i = 0; fleet->reload == RELOAD_PROBING && i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            struct seat *seat = &fleet->slots[i].seats[j];
            if (fleet->slots[i].used && seat->state != SEAT_EMPTY && seat->generation == fleet->generation)
                return seat;
        }
    return NULL;
}

static unsigned fleet_generation_for(struct fleet *fleet, struct slot *slot)
{
    bool probe = slot_find(slot, SEAT_SERVING) != NULL && fleet_find_probe(fleet) == NULL;
    return fleet->reload != RELOAD_PROBING || probe ? fleet->generation : fleet->proven;
}

/* True when a successor is on its way: planned replacements wait for it. */
static bool fleet_is_replacing(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        if (fleet->slots[i].used && slot_find(&fleet->slots[i], SEAT_SERVING) != NULL &&
            slot_has_successor(&fleet->slots[i]))
            return true;
    return false;
}

/* True when the worker that serves should make room. */
static bool slot_is_to_be_replaced(struct fleet *fleet, const struct slot *slot, const struct seat *serving)
{
    if (slot->replace > REPLACE_PLANNED)
        return true;
    if (fleet_is_replacing(fleet))
        return false;
    if (slot->replace == REPLACE_PLANNED)
        return true;
    return serving->generation != fleet->generation && fleet_find_probe(fleet) == NULL;
}

/* The seat for a worker that is to be forked: none serves here or will soon, or the one that
 * serves is to be replaced. NULL: there is no need, or no seat. */
static struct seat *slot_wanted_seat(struct fleet *fleet, struct slot *slot)
{
    const struct seat *serving = slot_find(slot, SEAT_SERVING);
    unsigned number = (unsigned)(slot - fleet->slots);
    if (fleet_is_stopping(fleet) || !slot->used || (fleet->phase == FLEET_STARTING && number > 0))
        return NULL;
    if (slot_has_successor(slot) || (serving != NULL && !slot_is_to_be_replaced(fleet, slot, serving)))
        return NULL;
    return slot_find(slot, SEAT_EMPTY);
}

/* A worker of a reload has a limited time to load the application: they come one after the
 * other, so that no other worker slows it down. Other workers have not: after a crash all of
 * them may import at once. */
static bool slot_is_boot_limited(const struct fleet *fleet, struct slot *slot, unsigned generation)
{
    bool probe = generation != fleet->proven;
    return probe || (fleet->reload == RELOAD_ROLLING && slot_find(slot, SEAT_SERVING) != NULL);
}

static void slot_fill(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    struct seat *seat = slot_wanted_seat(fleet, slot);
    if (seat == NULL || slot->retry_ms > now)
        return;
    unsigned generation = fleet_generation_for(fleet, slot);
    if (fleet->actions.fork(fleet->actions.context, fleet_seat_id(fleet, slot, seat), generation) == 0)
        *seat = (struct seat){
            .state = SEAT_BOOTING,
            .generation = generation,
            .forked_ms = now,
            .boot_is_limited = slot_is_boot_limited(fleet, slot, generation),
            .deadline_ms = fleet->limits.boot_ms > 0 ? now + fleet->limits.boot_ms : 0,
        };
    else if (fleet->phase == FLEET_STARTING)
        fleet_first_fork_failed(fleet);
    else
        fleet_fork_failed(fleet, slot, now);
}

static void fleet_fill(struct fleet *fleet, uint64_t now)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        slot_fill(fleet, &fleet->slots[i], now);
}

void fleet_start(struct fleet *fleet, uint64_t now)
{
    fleet->started_ms = now;
    fleet->random = (uint32_t)now;
    fleet_fill(fleet, now);
}

static uint64_t fleet_leave_by(const struct fleet *fleet, uint64_t now)
{
    return now + fleet->limits.graceful_ms + GRACE_MS;
}

/* A worker that does not move gets no --graceful-timeout. */
static uint64_t slot_retire_by(const struct fleet *fleet, const struct slot *slot, uint64_t now)
{
    return slot->replace == REPLACE_STALLED ? now + GRACE_MS : fleet_leave_by(fleet, now);
}

static void seat_tell_to_leave(struct fleet *fleet, struct slot *slot, struct seat *seat,
                               enum message_kind kind, uint64_t deadline_ms)
{
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = deadline_ms;
    fleet->actions.tell(fleet->actions.context, fleet_seat_id(fleet, slot, seat), kind);
}

static void seat_kill(struct fleet *fleet, struct slot *slot, struct seat *seat, enum kill_reason why)
{
    if (seat->state == SEAT_EMPTY)
        return;
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = 0;
    fleet->actions.kill(fleet->actions.context, fleet_seat_id(fleet, slot, seat), why);
}

/* A slot has two seats: while one worker serves and another leaves, no successor can come. */
static void seat_hurry(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_LEAVING && slot_find(slot, SEAT_EMPTY) == NULL)
        seat_tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, now + HURRY_MS);
}

static void fleet_begin_reload(struct fleet *fleet, uint64_t now)
{
    fleet->reload_again = false;
    fleet->reload = RELOAD_PROBING;
    fleet->reload_ms = now;
    fleet->reloads++;
    fleet->generation++;
    if (fleet->limits.impatient)
        fleet_visit_seats(fleet, now, seat_hurry);
    fleet_fill(fleet, now);
}

static void fleet_finish_reload(struct fleet *fleet, uint64_t now)
{
    for (unsigned i = 0; i < fleet->maximum; i++) {
        const struct seat *serving = slot_find(&fleet->slots[i], SEAT_SERVING);
        if (!fleet->slots[i].used)
            continue;
        if (serving == NULL || serving->generation != fleet->generation)
            return;
    }
    log_info("reloaded in %.2f s", (double)(now - fleet->reload_ms) / 1000);
    fleet->reload = RELOAD_NONE;
    fleet->actions.reloaded(fleet->actions.context, fleet->generation, NULL, (struct slice){NULL, 0});
    if (fleet->reload_again)
        fleet_begin_reload(fleet, now);
}

void fleet_reload(struct fleet *fleet, uint64_t now)
{
    if (fleet_is_stopping(fleet))
        return;
    if (fleet->phase == FLEET_STARTING || fleet->reload != RELOAD_NONE)
        fleet->reload_again = true;
    else
        fleet_begin_reload(fleet, now);
}

static void fleet_drop_generation(struct fleet *fleet, const struct worker_end *end, uint64_t now)
{
    char why[640];
    snprintf(why, sizeof(why), "the first worker of the new generation %s", end->how);
    worker_end_of_reload(end);
    fleet->reload = RELOAD_NONE;
    fleet->generation = fleet->proven;
    fleet->actions.reloaded(fleet->actions.context, fleet->proven + 1, why, end->crash_pipe);
    if (fleet->reload_again)
        fleet_begin_reload(fleet, now);
}

static void fleet_abandon_reload(struct fleet *fleet)
{
    if (fleet->reload == RELOAD_NONE && !fleet->reload_again)
        return;
    fleet->reload = RELOAD_NONE;
    fleet->reload_again = false;
    fleet->actions.reloaded(fleet->actions.context, fleet->generation, "the service stops",
                            (struct slice){NULL, 0});
}

/* Makes the seat's worker the slot's worker; the one that served has to leave. */
static void fleet_take_over(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    struct seat *predecessor = slot_find(slot, SEAT_SERVING);
    if (predecessor != NULL) {
        predecessor->replaced = slot->replace;
        seat_tell_to_leave(fleet, slot, predecessor, MESSAGE_RETIRE, slot_retire_by(fleet, slot, now));
    }
    slot->replace = REPLACE_NOT;
    seat->state = SEAT_SERVING;
    seat->deadline_ms = 0;
    if (fleet->reload == RELOAD_ROLLING)
        fleet_finish_reload(fleet, now);
}

static void fleet_probe_is_good(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    fleet->reload = RELOAD_ROLLING;
    fleet->proven = fleet->generation;
    fleet_take_over(fleet, slot, seat, now);
}

static void fleet_note_first_ready(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    if (slot->was_ready)
        return;
    slot->was_ready = true;
    if (++fleet->ready == fleet->starting)
        log_info("ready in %.2f s", (double)(now - fleet->started_ms) / 1000);
}

void fleet_ready(struct fleet *fleet, struct seat_id seat_id, uint64_t now)
{
    struct slot *slot = &fleet->slots[seat_id.slot];
    struct seat *seat = &slot->seats[seat_id.seat];
    if (seat->state != SEAT_BOOTING)
        return;
    log_debug("worker %u is ready", seat_id.slot);
    seat->booted = true;
    seat->deadline_ms = 0;
    bool probe = seat->generation != fleet->proven;
    if (probe && fleet->limits.proving_ms > 0) {
        seat->state = SEAT_PROVING;
        seat->deadline_ms = now + fleet->limits.proving_ms;
        return;
    }
    if (probe)
        fleet_probe_is_good(fleet, slot, seat, now);
    else
        fleet_take_over(fleet, slot, seat, now);
    if (fleet->phase == FLEET_STARTING)
        fleet->phase = FLEET_SERVING;
    fleet_note_first_ready(fleet, slot, now);
    if (fleet->reload == RELOAD_NONE && fleet->reload_again)
        fleet_begin_reload(fleet, now);
    fleet_fill(fleet, now);
}

void fleet_replace(struct fleet *fleet, struct seat_id seat_id, enum replacement why, uint64_t now)
{
    struct slot *slot = &fleet->slots[seat_id.slot];
    if (fleet_is_stopping(fleet) || slot->seats[seat_id.seat].state != SEAT_SERVING)
        return;
    if (why > slot->replace)
        slot->replace = why;
    slot_fill(fleet, slot, now);
}

/* Retires the worker of the slot, and forks no other. The other workers serve its sockets. */
static void slot_empty(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    uint64_t leave_by = slot_retire_by(fleet, slot, now);
    for (unsigned i = 0; i < FLEET_SEATS; i++) {
        struct seat *seat = &slot->seats[i];
        if (seat->state == SEAT_BOOTING)
            seat_kill(fleet, slot, seat, KILL_UNWANTED);
        else if (seat->state == SEAT_SERVING || seat->state == SEAT_PROVING)
            seat_tell_to_leave(fleet, slot, seat, MESSAGE_RETIRE, leave_by);
    }
    slot->replace = REPLACE_NOT;
    slot->used = false;
}

/* Higher when the worker of the slot does less for clients. */
static unsigned slot_uselessness(const struct fleet *fleet, struct slot *slot)
{
    const struct fleet_actions *actions = &fleet->actions;
    struct seat *serving = slot_find(slot, SEAT_SERVING);
    if (slot_find(slot, SEAT_PROVING) != NULL)
        return 0;
    if (serving == NULL)
        return 3;
    if (slot->replace >= REPLACE_STUCK)
        return 2;
    struct seat_id seat_id = {(unsigned)(slot - fleet->slots), (unsigned)(serving - slot->seats)};
    return actions->ails != NULL && actions->ails(actions->context, seat_id) ? 1 : 0;
}

/* The last one of the most useless slots. */
static struct slot *fleet_find_dispensable(struct fleet *fleet)
{
    struct slot *found = NULL;
    for (unsigned i = 0; i < fleet->maximum; i++) {
        struct slot *slot = &fleet->slots[i];
        if (slot->used && (found == NULL || slot_uselessness(fleet, slot) >= slot_uselessness(fleet, found)))
            found = slot;
    }
    return found;
}

static struct slot *fleet_find_unused(struct fleet *fleet)
{
    unsigned i = 0;
    while (fleet->slots[i].used)
        i++;
    return &fleet->slots[i];
}

int fleet_resize(struct fleet *fleet, int change, uint64_t now)
{
    unsigned count = fleet->count + (unsigned)change;
    if (fleet->phase != FLEET_SERVING || count == 0 || count > fleet->maximum)
        return -1;
    fleet->count = count;
    log_info("%u worker%s from now on", count, count == 1 ? "" : "s");
    if (change < 0)
        slot_empty(fleet, fleet_find_dispensable(fleet), now);
    else
        fleet_find_unused(fleet)->used = true;
    if (fleet->reload == RELOAD_ROLLING)
        fleet_finish_reload(fleet, now);
    fleet_fill(fleet, now);
    return 0;
}

/* Reports a restart, but not while the fleet stops: all workers leave then. */
static void fleet_note_restart(const struct fleet *fleet, const struct worker_end *end, enum replacement why)
{
    if (!fleet_is_stopping(fleet))
        fleet->actions.restarted(fleet->actions.context, end, worker_end_cause(end, why));
}

/* A worker ended that was told to leave. A worker that was killed while it booted may have
 * become ready just then; its end is nothing to report all the same. */
static void fleet_note_left(const struct fleet *fleet, const struct seat *seat,
                            const struct worker_end *ended)
{
    struct worker_end end = *ended;
    if (!seat->booted)
        end.state = WORKER_BOOTING;
    worker_end_left(&end);
    if (seat->replaced != REPLACE_NOT)
        fleet_note_restart(fleet, &end, seat->replaced);
}

/* A worker ended that served, or was to. */
static void fleet_note_lost(struct fleet *fleet, struct slot *slot, const struct seat *seat,
                            const struct worker_end *end, uint64_t now)
{
    fleet->lost++;
    fleet_note_restart(fleet, end, seat->replaced);
    fleet->random = fleet->random * 1103515245 + 12345;
    uint64_t pause = backoff_next(&slot->backoff, now - seat->forked_ms, fleet->random >> 16);
    slot->retry_ms = now + pause;
    if (slot_has_successor(slot))
        worker_end_lost(end, "its successor is on its way");
    else if (slot_find(slot, SEAT_SERVING) != NULL)
        worker_end_lost(end, "its predecessor stays; the next try is in %.1f s", (double)pause / 1000);
    else if (pause == 0)
        worker_end_lost(end, "it is replaced now");
    else
        worker_end_lost(end, "it is replaced in %.1f s", (double)pause / 1000);
    /* The user who has asked for another reload may have mended the code. */
    if (fleet->reload == RELOAD_ROLLING && fleet->reload_again)
        fleet_begin_reload(fleet, now);
}

void fleet_ended(struct fleet *fleet, struct seat_id seat_id, const struct worker_end *ended, uint64_t now)
{
    struct slot *slot = &fleet->slots[seat_id.slot];
    struct seat before = slot->seats[seat_id.seat];
    slot->seats[seat_id.seat].state = SEAT_EMPTY;
    if (before.state == SEAT_SERVING) {
        before.replaced = slot->replace;
        slot->replace = REPLACE_NOT; /* no worker is left that a successor would replace */
    }
    if (fleet->phase == FLEET_STARTING)
        fleet_end(fleet, worker_end_of_start(ended));
    else if (before.state == SEAT_LEAVING)
        fleet_note_left(fleet, &before, ended);
    else if (before.generation != fleet->proven && fleet->reload == RELOAD_PROBING)
        fleet_drop_generation(fleet, ended, now);
    else
        fleet_note_lost(fleet, slot, &before, ended, now);
    if (fleet_is_stopping(fleet) && fleet_is_empty(fleet))
        fleet->phase = FLEET_OVER;
    fleet_fill(fleet, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t fleet_due(const struct fleet *constant)
{
    struct fleet *fleet = (struct fleet *)constant; /* not changed here */
    uint64_t due = 0;
    for (unsigned i = 0; i < fleet->maximum; i++) {
        struct slot *slot = &fleet->slots[i];
        if (slot_wanted_seat(fleet, slot) != NULL)
            due = earlier(due, slot->retry_ms);
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (slot->seats[j].state != SEAT_EMPTY)
                due = earlier(due, slot->seats[j].deadline_ms);
    }
    return due;
}

/* Asks for the stacks first, which show where the worker is. A slow worker stays BOOTING until
 * its end, which is thus not taken for that of a worker that was told to leave. */
static void seat_boots_slowly(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    const struct fleet_actions *actions = &fleet->actions;
    struct seat_id seat_id = fleet_seat_id(fleet, slot, seat);
    seat->deadline_ms = seat->asked_for_stacks ? 0 : now + STACKS_MS;
    if (!seat->asked_for_stacks)
        actions->ask_stacks(actions->context, seat_id);
    else if (seat->boot_is_limited)
        actions->kill(actions->context, seat_id, KILL_SLOW_BOOT);
    else
        actions->boots_slowly(actions->context, seat_id);
    seat->asked_for_stacks = true;
}

static void seat_check_deadline(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_EMPTY || seat->deadline_ms == 0 || seat->deadline_ms > now)
        return;
    if (seat->state == SEAT_PROVING)
        fleet_probe_is_good(fleet, slot, seat, now);
    else if (seat->state == SEAT_BOOTING)
        seat_boots_slowly(fleet, slot, seat, now);
    else
        seat_kill(fleet, slot, seat, KILL_LATE);
}

void fleet_tick(struct fleet *fleet, uint64_t now)
{
    fleet_visit_seats(fleet, now, seat_check_deadline);
    fleet_fill(fleet, now);
}

/* A worker that still imports does not read its messages, and has nothing to finish. */
static void seat_drain(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        seat_kill(fleet, slot, seat, KILL_UNWANTED);
    else if (seat->state == SEAT_SERVING || seat->state == SEAT_PROVING)
        seat_tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, fleet_leave_by(fleet, now));
    else if (seat->state == SEAT_LEAVING) /* its successor stops too, and takes no connections from it */
        seat_tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, seat->deadline_ms);
}

static uint64_t fleet_quit_by(const struct fleet *fleet, uint64_t now)
{
    uint64_t graceful = fleet->limits.graceful_ms;
    return now + (graceful < PYTHON_END_QUICK_MS ? graceful : PYTHON_END_QUICK_MS) + GRACE_MS;
}

static void seat_quit(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        seat_kill(fleet, slot, seat, KILL_UNWANTED);
    else if (seat->state != SEAT_EMPTY)
        seat_tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, fleet_quit_by(fleet, now));
}

static void seat_kill_at_once(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    (void)now;
    seat_kill(fleet, slot, seat, KILL_AT_ONCE);
}

static void fleet_stop(struct fleet *fleet, enum fleet_phase phase, uint64_t now,
                       void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    fleet->phase = phase;
    fleet_abandon_reload(fleet);
    fleet_visit_seats(fleet, now, visit);
    if (fleet_is_empty(fleet))
        fleet->phase = FLEET_OVER;
}

void fleet_drain(struct fleet *fleet, uint64_t now)
{
    if (fleet_is_stopping(fleet))
        return;
    fleet_stop(fleet, FLEET_DRAINING, now, seat_drain);
}

void fleet_quit(struct fleet *fleet, uint64_t now)
{
    if (fleet->phase == FLEET_OVER)
        return;
    bool again = fleet->phase >= FLEET_STOPPING;
    if (again)
        log_info("stopping at once");
    else
        log_info("stopping quickly");
    fleet_stop(fleet, again ? FLEET_KILLING : FLEET_STOPPING, now, again ? seat_kill_at_once : seat_quit);
}

bool fleet_is_calm(const struct fleet *fleet)
{
    if (fleet->phase != FLEET_SERVING || fleet->reload != RELOAD_NONE)
        return false;
    for (unsigned i = 0; i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            enum seat_state state = fleet->slots[i].seats[j].state;
            if (state == SEAT_BOOTING || state == SEAT_PROVING)
                return false;
        }
    return true;
}

void fleet_save(const struct fleet *fleet, struct upgrade_state *saved)
{
    upgrade_state_add(
        saved, "fleet", NULL,
        SAVED_NUMBERS(fleet->count, fleet->proven, fleet->reloads, fleet->lost, fleet->started_ms));
    for (unsigned i = 0; i < fleet->maximum; i++)
        slot_save(&fleet->slots[i], i, saved);
}

int fleet_load(struct fleet *fleet, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "fleet", NULL, 5);
    if (line == NULL || line->numbers[0] == 0 || line->numbers[0] > fleet->maximum ||
        slots_load(fleet->slots, fleet->maximum, saved) < 0)
        return -1;
    fleet->count = fleet->starting = fleet->ready = (unsigned)line->numbers[0];
    fleet->generation = fleet->proven = (unsigned)line->numbers[1];
    fleet->reloads = (unsigned)line->numbers[2];
    fleet->lost = (unsigned)line->numbers[3];
    fleet->started_ms = line->numbers[4];
    fleet->random = (uint32_t)line->numbers[4];
    for (unsigned i = 0; i < fleet->maximum; i++)
        fleet->slots[i].was_ready = true;
    fleet->phase = FLEET_SERVING;
    return 0;
}
