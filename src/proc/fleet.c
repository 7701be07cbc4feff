/* The fleet: which workers there should be, and when each comes and goes. */
#include "proc/fleet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "proc/worker.h"

/* What workers get beyond their own deadline before they are killed. */
enum { KILL_GRACE_MS = 2000, STOP_GRACE_MS = 2000 };

/* Who lives that long is as good as its predecessor. */
enum { PROVING_MS = 2000 };

enum reload_state {
    RELOAD_NONE,
    RELOAD_PROBING, /* the first worker of the new generation has to prove itself */
    RELOAD_ROLLING, /* it has: one slot after the other gets one */
};

struct fleet {
    struct fleet_actions actions;
    struct fleet_limits limits;
    enum fleet_phase phase;
    enum reload_state reload;
    bool reload_again;
    unsigned generation; /* that all should have; while PROBING the probe alone */
    unsigned proven;     /* the last that had one serving */
    unsigned reloads;    /* begun */
    unsigned lost;
    uint64_t reload_ms; /* since when */
    int exit_status;
    uint64_t started_ms;
    uint32_t random;
    unsigned ready; /* slots where somebody has served */
    unsigned count;
    struct slot slots[];
};

struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions,
                        const struct fleet_limits *limits)
{
    struct fleet *fleet = xcalloc(1, sizeof(*fleet) + slots * sizeof(fleet->slots[0]));
    fleet->actions = *actions;
    fleet->limits = *limits;
    fleet->generation = fleet->proven = 1;
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

enum seat_state fleet_seat(const struct fleet *fleet, struct berth berth)
{
    return fleet->slots[berth.slot].seats[berth.seat].state;
}

int fleet_exit_status(const struct fleet *fleet)
{
    return fleet->exit_status;
}

static bool is_stopping(const struct fleet *fleet)
{
    return fleet->phase >= FLEET_DRAINING;
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

/* Somebody's successor is on its way: planned ones wait. */
static bool is_replacing(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->count; i++)
        if (slot_find(&fleet->slots[i], SEAT_SERVING) != NULL && slot_has_successor(&fleet->slots[i]))
            return true;
    return false;
}

static struct seat *find_probe(struct fleet *fleet)
{
    for (unsigned i = 0; fleet->reload == RELOAD_PROBING && i < fleet->count; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            struct seat *seat = &fleet->slots[i].seats[j];
            if (seat->state != SEAT_EMPTY && seat->generation == fleet->generation)
                return seat;
        }
    return NULL;
}

/* Who serves should make room. */
static bool is_to_be_replaced(struct fleet *fleet, const struct slot *slot, const struct seat *serving)
{
    if (slot->replace == REPLACE_URGENT)
        return true;
    if (is_replacing(fleet))
        return false;
    if (slot->replace == REPLACE_PLANNED)
        return true;
    return serving->generation != fleet->generation && find_probe(fleet) == NULL;
}

/* Nobody serves, or is about to; or who serves is to be replaced; and there is a seat. */
static struct seat *wanted_seat(struct fleet *fleet, struct slot *slot)
{
    const struct seat *serving = slot_find(slot, SEAT_SERVING);
    if (is_stopping(fleet) || (fleet->phase == FLEET_STARTING && slot != fleet->slots))
        return NULL;
    if (slot_has_successor(slot) || (serving != NULL && !is_to_be_replaced(fleet, slot, serving)))
        return NULL;
    return slot_find(slot, SEAT_EMPTY);
}

/* While a generation is to be proved, only its probe is of it; and that has a predecessor. */
static unsigned generation_for(struct fleet *fleet, struct slot *slot)
{
    bool probe = slot_find(slot, SEAT_SERVING) != NULL && find_probe(fleet) == NULL;
    return fleet->reload != RELOAD_PROBING || probe ? fleet->generation : fleet->proven;
}

static void fill(struct fleet *fleet, struct slot *slot, uint64_t now)
{
    struct seat *seat = wanted_seat(fleet, slot);
    if (seat == NULL || slot->retry_ms > now)
        return;
    unsigned generation = generation_for(fleet, slot);
    bool probe = generation != fleet->proven;
    if (fleet->actions.fork(fleet->actions.context, berth_of(fleet, slot, seat), generation) == 0)
        *seat = (struct seat){
            .state = SEAT_BOOTING,
            .generation = generation,
            .forked_ms = now,
            .deadline_ms = probe && fleet->limits.boot_ms > 0 ? now + fleet->limits.boot_ms : 0,
        };
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

static void begin_reload(struct fleet *fleet, uint64_t now);

/* The last slot has its worker of the new generation; or one could not have it, and somebody has asked again meanwhile. */
static void finish_reload(struct fleet *fleet, uint64_t now)
{
    for (unsigned i = 0; i < fleet->count; i++) {
        const struct seat *serving = slot_find(&fleet->slots[i], SEAT_SERVING);
        if (serving == NULL || serving->generation != fleet->generation)
            return;
    }
    log_info("reloaded in %.2f s", (double)(now - fleet->reload_ms) / 1000);
    fleet->reload = RELOAD_NONE;
    fleet->actions.reloaded(fleet->actions.context, fleet->generation, NULL, (struct slice){NULL, 0});
    if (fleet->reload_again)
        begin_reload(fleet, now);
}

/* From now on it is the slot's worker; whoever was has to serve no longer. */
static void take_over(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    struct seat *predecessor = slot_find(slot, SEAT_SERVING);
    slot->replace = REPLACE_NOT;
    if (predecessor != NULL)
        tell_to_leave(fleet, slot, predecessor, MESSAGE_RETIRE,
                      now + fleet->limits.graceful_ms + KILL_GRACE_MS);
    seat->state = SEAT_SERVING;
    seat->deadline_ms = 0;
    if (fleet->reload == RELOAD_ROLLING)
        finish_reload(fleet, now);
}

static void has_proved_itself(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    fleet->reload = RELOAD_ROLLING;
    fleet->proven = fleet->generation;
    take_over(fleet, slot, seat, now);
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
    log_debug("worker %u is ready", berth.slot);
    if (seat->generation != fleet->proven) {
        seat->state = SEAT_PROVING;
        seat->deadline_ms = now + PROVING_MS;
        return;
    }
    take_over(fleet, slot, seat, now);
    if (fleet->phase == FLEET_STARTING)
        fleet->phase = FLEET_SERVING;
    note_first_ready(fleet, slot, now);
    if (fleet->reload == RELOAD_NONE && fleet->reload_again)
        begin_reload(fleet, now);
    fill_all(fleet, now);
}

void fleet_replace(struct fleet *fleet, struct berth berth, enum replacement why, uint64_t now)
{
    struct slot *slot = &fleet->slots[berth.slot];
    if (is_stopping(fleet) || slot->seats[berth.seat].state != SEAT_SERVING)
        return;
    if (why > slot->replace)
        slot->replace = why;
    fill(fleet, slot, now);
}

static void begin_reload(struct fleet *fleet, uint64_t now)
{
    fleet->reload_again = false;
    fleet->reload = RELOAD_PROBING;
    fleet->reload_ms = now;
    fleet->reloads++;
    fleet->generation++;
    fill_all(fleet, now);
}

void fleet_reload(struct fleet *fleet, uint64_t now)
{
    if (is_stopping(fleet))
        return;
    if (fleet->phase == FLEET_STARTING || fleet->reload != RELOAD_NONE)
        fleet->reload_again = true;
    else
        begin_reload(fleet, now);
}

/* The generation is dropped, as if it had never been. */
static void drop_generation(struct fleet *fleet, const struct worker_end *end, uint64_t now)
{
    worker_end_of_reload(end);
    fleet->reload = RELOAD_NONE;
    fleet->generation = fleet->proven;
    fleet->actions.reloaded(fleet->actions.context, fleet->proven + 1, end->how, end->last_words);
    if (fleet->reload_again)
        begin_reload(fleet, now);
}

/* One that served, or was to. */
static void lost(struct fleet *fleet, struct slot *slot, const struct seat *seat,
                 const struct worker_end *end, uint64_t now)
{
    fleet->lost++;
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
        begin_reload(fleet, now);
}

static bool is_empty(struct fleet *fleet)
{
    for (unsigned i = 0; i < fleet->count; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (fleet->slots[i].seats[j].state != SEAT_EMPTY)
                return false;
    return true;
}

void fleet_ended(struct fleet *fleet, struct berth berth, const struct worker_end *ended, uint64_t now)
{
    struct slot *slot = &fleet->slots[berth.slot];
    struct seat before = slot->seats[berth.seat];
    slot->seats[berth.seat].state = SEAT_EMPTY;
    if (before.state == SEAT_SERVING)
        slot->replace = REPLACE_NOT; /* nobody is left whom a successor would replace */
    if (fleet->phase == FLEET_STARTING)
        end(fleet, worker_end_of_start(ended));
    else if (before.state == SEAT_LEAVING)
        worker_end_left(ended);
    else if (before.generation != fleet->proven && fleet->reload == RELOAD_PROBING)
        drop_generation(fleet, ended, now);
    else
        lost(fleet, slot, &before, ended, now);
    if (is_stopping(fleet) && is_empty(fleet))
        fleet->phase = FLEET_OVER;
    fill_all(fleet, now);
}

/* One that is still importing does not read its mail, and has nothing to finish. */
static void drain_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        kill_seat(fleet, slot, seat, now);
    else if (seat->state == SEAT_SERVING || seat->state == SEAT_PROVING)
        tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, now + fleet->limits.graceful_ms + KILL_GRACE_MS);
}

static void quit_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        kill_seat(fleet, slot, seat, now);
    else if (seat->state != SEAT_EMPTY)
        tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, now + STOP_GRACE_MS);
}

/* Also one that was asked for and never began. */
static void abandon_reload(struct fleet *fleet)
{
    if (fleet->reload == RELOAD_NONE && !fleet->reload_again)
        return;
    fleet->reload = RELOAD_NONE;
    fleet->reload_again = false;
    fleet->actions.reloaded(fleet->actions.context, fleet->generation, "the service stops",
                            (struct slice){NULL, 0});
}

static void stop(struct fleet *fleet, enum fleet_phase phase, uint64_t now,
                 void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    fleet->phase = phase;
    abandon_reload(fleet);
    visit_all(fleet, now, visit);
    if (is_empty(fleet))
        fleet->phase = FLEET_OVER;
}

void fleet_drain(struct fleet *fleet, uint64_t now)
{
    if (is_stopping(fleet))
        return;
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

uint64_t fleet_due(const struct fleet *constant)
{
    struct fleet *fleet = (struct fleet *)constant; /* only looked at */
    uint64_t due = 0;
    for (unsigned i = 0; i < fleet->count; i++) {
        struct slot *slot = &fleet->slots[i];
        if (wanted_seat(fleet, slot) != NULL)
            due = earlier(due, slot->retry_ms);
        for (unsigned j = 0; j < FLEET_SEATS; j++)
            if (slot->seats[j].state != SEAT_EMPTY)
                due = earlier(due, slot->seats[j].deadline_ms);
    }
    return due;
}

/* Its end is not its fault alone: it stays what it was until then. */
static void kill_slow_probe(struct fleet *fleet, struct slot *slot, struct seat *seat)
{
    log_error("worker %u has not loaded the application within --timeout", (unsigned)(slot - fleet->slots));
    seat->deadline_ms = 0;
    fleet->actions.kill(fleet->actions.context, berth_of(fleet, slot, seat));
}

static void check_deadline(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_EMPTY || seat->deadline_ms == 0 || seat->deadline_ms > now)
        return;
    if (seat->state == SEAT_PROVING)
        has_proved_itself(fleet, slot, seat, now);
    else if (seat->state == SEAT_BOOTING)
        kill_slow_probe(fleet, slot, seat);
    else
        kill_seat(fleet, slot, seat, now);
}

void fleet_tick(struct fleet *fleet, uint64_t now)
{
    visit_all(fleet, now, check_deadline);
    fill_all(fleet, now);
}
