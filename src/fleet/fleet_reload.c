/* The fleet's reloads: a probe, and then slot by slot. */
#include <stdio.h>

#include "base/log.h"
#include "fleet/fleet_state.h"

/* For who is told to quit, until it is killed. */
enum { HURRY_MS = 2000 };

struct seat *fleet_find_probe(struct fleet *fleet)
{
    for (unsigned i = 0; fleet->reload == RELOAD_PROBING && i < fleet->maximum; i++)
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            struct seat *seat = &fleet->slots[i].seats[j];
            if (fleet->slots[i].used && seat->state != SEAT_EMPTY && seat->generation == fleet->generation)
                return seat;
        }
    return NULL;
}

unsigned fleet_generation_for(struct fleet *fleet, struct slot *slot)
{
    bool probe = slot_find(slot, SEAT_SERVING) != NULL && fleet_find_probe(fleet) == NULL;
    return fleet->reload != RELOAD_PROBING || probe ? fleet->generation : fleet->proven;
}

/* There are two seats: where one serves and one has not left yet, nobody can come. */
static void hurry(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_LEAVING && slot_find(slot, SEAT_EMPTY) == NULL)
        fleet_tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, now + HURRY_MS);
}

void fleet_begin_reload(struct fleet *fleet, uint64_t now)
{
    fleet->reload_again = false;
    fleet->reload = RELOAD_PROBING;
    fleet->reload_ms = now;
    fleet->reloads++;
    fleet->generation++;
    if (fleet->limits.impatient)
        fleet_visit_all(fleet, now, hurry);
    fleet_fill_all(fleet, now);
}

void fleet_finish_reload(struct fleet *fleet, uint64_t now)
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

void fleet_probe_is_good(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    fleet->reload = RELOAD_ROLLING;
    fleet->proven = fleet->generation;
    fleet_take_over(fleet, slot, seat, now);
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

void fleet_drop_generation(struct fleet *fleet, const struct worker_end *end, uint64_t now)
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

void fleet_abandon_reload(struct fleet *fleet)
{
    if (fleet->reload == RELOAD_NONE && !fleet->reload_again)
        return;
    fleet->reload = RELOAD_NONE;
    fleet->reload_again = false;
    fleet->actions.reloaded(fleet->actions.context, fleet->generation, "the service stops",
                            (struct slice){NULL, 0});
}
