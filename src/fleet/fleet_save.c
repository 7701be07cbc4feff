/* What a fleet leaves to the one of its next binary, and when that is easy: nobody is on the way. */
#include "fleet/fleet_state.h"

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
    for (unsigned i = 0; i < fleet->maximum; i++) {
        const struct slot *slot = &fleet->slots[i];
        upgrade_state_add(saved, "slot", NULL, SAVED_NUMBERS(i, slot->replace, slot->retry_ms, slot->used));
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            const struct seat *seat = &slot->seats[j];
            if (seat->state != SEAT_EMPTY)
                upgrade_state_add(saved, "seat", NULL,
                                  SAVED_NUMBERS(i, j, seat->state, seat->generation, seat->forked_ms,
                                                seat->booted, seat->replaced, seat->deadline_ms));
        }
    }
}

static int load_slots(struct fleet *fleet, const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "slot", line, 4)) != NULL) {
        if (line->numbers[0] >= fleet->maximum)
            return -1;
        struct slot *slot = &fleet->slots[line->numbers[0]];
        slot->replace = (enum replacement)line->numbers[1];
        slot->retry_ms = line->numbers[2];
        slot->used = line->numbers[3];
    }
    return 0;
}

static int load_seats(struct fleet *fleet, const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "seat", line, 8)) != NULL) {
        if (line->numbers[0] >= fleet->maximum || line->numbers[1] >= FLEET_SEATS)
            return -1;
        fleet->slots[line->numbers[0]].seats[line->numbers[1]] = (struct seat){
            .state = (enum seat_state)line->numbers[2],
            .generation = (unsigned)line->numbers[3],
            .forked_ms = line->numbers[4],
            .booted = line->numbers[5],
            .replaced = (enum replacement)line->numbers[6],
            .deadline_ms = line->numbers[7],
        };
    }
    return 0;
}

int fleet_load(struct fleet *fleet, const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "fleet", NULL, 5);
    if (line == NULL || line->numbers[0] == 0 || line->numbers[0] > fleet->maximum ||
        load_slots(fleet, saved) < 0 || load_seats(fleet, saved) < 0)
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
