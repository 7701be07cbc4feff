/* The fleet: which workers there should be, and when each comes and goes. */
#include "base/exit_status.h"
#include "fleet/fleet_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"

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

bool fleet_is_stopping(const struct fleet *fleet)
{
    return fleet->phase >= FLEET_DRAINING;
}

struct seat_id fleet_seat_id_of(struct fleet *fleet, const struct slot *slot, const struct seat *seat)
{
    return (struct seat_id){(unsigned)(slot - fleet->slots), (unsigned)(seat - slot->seats)};
}

void fleet_visit_all(struct fleet *fleet, uint64_t now,
                     void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    for (unsigned i = 0; i < fleet->maximum; i++)
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
    log_critical("the first worker cannot be forked: %s", strerror(errno));
    end(fleet, EXIT_FAILURE_RUNTIME);
}

static void fork_failed(const struct fleet *fleet, struct slot *slot, uint64_t now)
{
    log_error("worker %u cannot be forked: %s; the next try is in %d s", (unsigned)(slot - fleet->slots),
              strerror(errno), BACKOFF_MAX_MS / 1000);
    slot->retry_ms = now + BACKOFF_MAX_MS;
}

/* Somebody's successor is on its way: planned ones wait. */
static bool is_replacing(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        if (fleet->slots[i].used && slot_find(&fleet->slots[i], SEAT_SERVING) != NULL &&
            slot_has_successor(&fleet->slots[i]))
            return true;
    return false;
}

/* Who serves should make room. */
static bool is_to_be_replaced(struct fleet *fleet, const struct slot *slot, const struct seat *serving)
{
    if (slot->replace > REPLACE_PLANNED)
        return true;
    if (is_replacing(fleet))
        return false;
    if (slot->replace == REPLACE_PLANNED)
        return true;
    return serving->generation != fleet->generation && fleet_find_probe(fleet) == NULL;
}

/* Nobody serves, or is about to; or who serves is to be replaced; and there is a seat. */
static struct seat *wanted_seat(struct fleet *fleet, struct slot *slot)
{
    const struct seat *serving = slot_find(slot, SEAT_SERVING);
    unsigned number = (unsigned)(slot - fleet->slots);
    if (fleet_is_stopping(fleet) || !slot->used || (fleet->phase == FLEET_STARTING && number > 0))
        return NULL;
    if (slot_has_successor(slot) || (serving != NULL && !is_to_be_replaced(fleet, slot, serving)))
        return NULL;
    return slot_find(slot, SEAT_EMPTY);
}

/* A reload's have a time to load the application in: they come one after the other, so there is nobody else who keeps them from
 * it. To the others, and to all of them at once after a crash, it may take long. */
static bool is_boot_limited(const struct fleet *fleet, struct slot *slot, unsigned generation)
{
    bool probe = generation != fleet->proven;
    return probe || (fleet->reload == RELOAD_ROLLING && slot_find(slot, SEAT_SERVING) != NULL);
}

static void fill(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    struct seat *seat = wanted_seat(fleet, slot);
    if (seat == NULL || slot->retry_ms > now)
        return;
    unsigned generation = fleet_generation_for(fleet, slot);
    if (fleet->actions.fork(fleet->actions.context, fleet_seat_id_of(fleet, slot, seat), generation) == 0)
        *seat = (struct seat){
            .state = SEAT_BOOTING,
            .generation = generation,
            .forked_ms = now,
            .boot_is_limited = is_boot_limited(fleet, slot, generation),
            .deadline_ms = fleet->limits.boot_ms > 0 ? now + fleet->limits.boot_ms : 0,
        };
    else if (fleet->phase == FLEET_STARTING)
        first_fork_failed(fleet);
    else
        fork_failed(fleet, slot, now);
}

void fleet_fill_all(struct fleet *fleet, uint64_t now)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        fill(fleet, &fleet->slots[i], now);
}

void fleet_start(struct fleet *fleet, uint64_t now)
{
    fleet->started_ms = now;
    fleet->random = (uint32_t)now;
    fleet_fill_all(fleet, now);
}

uint64_t fleet_leave_by(const struct fleet *fleet, uint64_t now)
{
    return now + fleet->limits.graceful_ms + GRACE_MS;
}

/* A worker that does not move has had its time. */
static uint64_t retire_by(const struct fleet *fleet, const struct slot *slot, uint64_t now)
{
    return slot->replace == REPLACE_STALLED ? now + GRACE_MS : fleet_leave_by(fleet, now);
}

void fleet_tell_to_leave(struct fleet *fleet, struct slot *slot, struct seat *seat, enum message_kind kind,
                         uint64_t deadline_ms)
{
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = deadline_ms;
    fleet->actions.tell(fleet->actions.context, fleet_seat_id_of(fleet, slot, seat), kind);
}

void fleet_kill_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, enum kill_reason why)
{
    if (seat->state == SEAT_EMPTY)
        return;
    seat->state = SEAT_LEAVING;
    seat->deadline_ms = 0;
    fleet->actions.kill(fleet->actions.context, fleet_seat_id_of(fleet, slot, seat), why);
}

/* From now on it is the slot's worker; whoever was has to serve no longer. */
void fleet_take_over(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    struct seat *predecessor = slot_find(slot, SEAT_SERVING);
    if (predecessor != NULL) {
        predecessor->replaced = slot->replace;
        fleet_tell_to_leave(fleet, slot, predecessor, MESSAGE_RETIRE, retire_by(fleet, slot, now));
    }
    slot->replace = REPLACE_NOT;
    seat->state = SEAT_SERVING;
    seat->deadline_ms = 0;
    if (fleet->reload == RELOAD_ROLLING)
        fleet_finish_reload(fleet, now);
}

static void note_first_ready(struct fleet *fleet, struct slot *slot, uint64_t now)
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
    note_first_ready(fleet, slot, now);
    if (fleet->reload == RELOAD_NONE && fleet->reload_again)
        fleet_begin_reload(fleet, now);
    fleet_fill_all(fleet, now);
}

void fleet_replace(struct fleet *fleet, struct seat_id seat_id, enum replacement why, uint64_t now)
{
    struct slot *slot = &fleet->slots[seat_id.slot];
    if (fleet_is_stopping(fleet) || slot->seats[seat_id.seat].state != SEAT_SERVING)
        return;
    if (why > slot->replace)
        slot->replace = why;
    fill(fleet, slot, now);
}

/* What comes to the slot is the others'. Its worker is not replaced. */
static void empty_slot(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    uint64_t leave_by = retire_by(fleet, slot, now);
    for (unsigned i = 0; i < FLEET_SEATS; i++) {
        struct seat *seat = &slot->seats[i];
        if (seat->state == SEAT_BOOTING)
            fleet_kill_seat(fleet, slot, seat, KILL_UNWANTED);
        else if (seat->state == SEAT_SERVING || seat->state == SEAT_PROVING)
            fleet_tell_to_leave(fleet, slot, seat, MESSAGE_RETIRE, leave_by);
    }
    slot->replace = REPLACE_NOT;
    slot->used = false;
}

/* The less a slot's worker does for clients, the more. */
static unsigned uselessness(const struct fleet *fleet, struct slot *slot)
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

/* Of those that are alike, the last one. */
static struct slot *find_dispensable(struct fleet *fleet)
{
    struct slot *found = NULL;
    for (unsigned i = 0; i < fleet->maximum; i++) {
        struct slot *slot = &fleet->slots[i];
        if (slot->used && (found == NULL || uselessness(fleet, slot) >= uselessness(fleet, found)))
            found = slot;
    }
    return found;
}

static struct slot *find_unused(struct fleet *fleet)
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
        empty_slot(fleet, find_dispensable(fleet), now);
    else
        find_unused(fleet)->used = true;
    if (fleet->reload == RELOAD_ROLLING)
        fleet_finish_reload(fleet, now);
    fleet_fill_all(fleet, now);
    return 0;
}

/* At the end, all leave. */
static void note_restart(const struct fleet *fleet, const struct worker_end *end, enum replacement why)
{
    if (!fleet_is_stopping(fleet))
        fleet->actions.restarted(fleet->actions.context, end, worker_end_cause(end, why));
}

/* One that was told to. One that was killed while it booted may have become ready just then: that it was killed is still nothing to
 * tell. */
static void left(const struct fleet *fleet, const struct seat *seat, const struct worker_end *ended)
{
    struct worker_end end = *ended;
    if (!seat->booted)
        end.state = WORKER_BOOTING;
    worker_end_left(&end);
    if (seat->replaced != REPLACE_NOT)
        note_restart(fleet, &end, seat->replaced);
}

/* One that served, or was to. */
static void lost(struct fleet *fleet, struct slot *slot, const struct seat *seat,
                 const struct worker_end *end, uint64_t now)
{
    fleet->lost++;
    note_restart(fleet, end, seat->replaced);
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
    /* Perhaps whoever has asked for it has mended what is wrong. */
    if (fleet->reload == RELOAD_ROLLING && fleet->reload_again)
        fleet_begin_reload(fleet, now);
}

bool fleet_is_empty(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (fleet->slots[i].seats[j].state != SEAT_EMPTY)
                return false;
    return true;
}

void fleet_ended(struct fleet *fleet, struct seat_id seat_id, const struct worker_end *ended, uint64_t now)
{
    struct slot *slot = &fleet->slots[seat_id.slot];
    struct seat before = slot->seats[seat_id.seat];
    slot->seats[seat_id.seat].state = SEAT_EMPTY;
    if (before.state == SEAT_SERVING) {
        before.replaced = slot->replace;
        slot->replace = REPLACE_NOT; /* nobody is left whom a successor would replace */
    }
    if (fleet->phase == FLEET_STARTING)
        end(fleet, worker_end_of_start(ended));
    else if (before.state == SEAT_LEAVING)
        left(fleet, &before, ended);
    else if (before.generation != fleet->proven && fleet->reload == RELOAD_PROBING)
        fleet_drop_generation(fleet, ended, now);
    else
        lost(fleet, slot, &before, ended, now);
    if (fleet_is_stopping(fleet) && fleet_is_empty(fleet))
        fleet->phase = FLEET_OVER;
    fleet_fill_all(fleet, now);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a == 0 || (b != 0 && b < a) ? b : a;
}

uint64_t fleet_due(const struct fleet *constant)
{
    struct fleet *fleet = (struct fleet *)constant; /* only looked at */
    uint64_t due = 0;
    for (unsigned i = 0; i < fleet->maximum; i++) {
        struct slot *slot = &fleet->slots[i];
        if (wanted_seat(fleet, slot) != NULL)
            due = earlier(due, slot->retry_ms);
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (slot->seats[j].state != SEAT_EMPTY)
                due = earlier(due, slot->seats[j].deadline_ms);
    }
    return due;
}

/* Where it is comes first. The end of one that is killed is not its fault alone: it stays what it was until then. */
static void boots_slowly(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    const struct fleet_actions *actions = &fleet->actions;
    struct seat_id seat_id = fleet_seat_id_of(fleet, slot, seat);
    seat->deadline_ms = seat->asked_for_stacks ? 0 : now + STACKS_MS;
    if (!seat->asked_for_stacks)
        actions->ask_stacks(actions->context, seat_id);
    else if (seat->boot_is_limited)
        actions->kill(actions->context, seat_id, KILL_SLOW_BOOT);
    else
        actions->boots_slowly(actions->context, seat_id);
    seat->asked_for_stacks = true;
}

static void check_deadline(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_EMPTY || seat->deadline_ms == 0 || seat->deadline_ms > now)
        return;
    if (seat->state == SEAT_PROVING)
        fleet_probe_is_good(fleet, slot, seat, now);
    else if (seat->state == SEAT_BOOTING)
        boots_slowly(fleet, slot, seat, now);
    else
        fleet_kill_seat(fleet, slot, seat, KILL_LATE);
}

void fleet_tick(struct fleet *fleet, uint64_t now)
{
    fleet_visit_all(fleet, now, check_deadline);
    fleet_fill_all(fleet, now);
}
