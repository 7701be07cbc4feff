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

void fleet_bequeath(const struct fleet *fleet, struct heritage *heritage)
{
    heritage_add(
        heritage, "fleet", NULL,
        HERITAGE_NUMBERS(fleet->count, fleet->proven, fleet->reloads, fleet->lost, fleet->started_ms));
    for (unsigned i = 0; i < fleet->maximum; i++) {
        const struct slot *slot = &fleet->slots[i];
        heritage_add(heritage, "slot", NULL, HERITAGE_NUMBERS(i, slot->replace, slot->retry_ms, slot->used));
        for (unsigned j = 0; j < FLEET_SEATS; j++) {
            const struct seat *seat = &slot->seats[j];
            if (seat->state != SEAT_EMPTY)
                heritage_add(heritage, "seat", NULL,
                             HERITAGE_NUMBERS(i, j, seat->state, seat->generation, seat->forked_ms,
                                              seat->booted, seat->replaced, seat->deadline_ms));
        }
    }
}

static int inherit_slots(struct fleet *fleet, const struct heritage *heritage)
{
    const struct heritage_line *line = NULL;
    while ((line = heritage_next(heritage, "slot", line, 4)) != NULL) {
        if (line->numbers[0] >= fleet->maximum)
            return -1;
        struct slot *slot = &fleet->slots[line->numbers[0]];
        slot->replace = (enum replacement)line->numbers[1];
        slot->retry_ms = line->numbers[2];
        slot->used = line->numbers[3];
    }
    return 0;
}

static int inherit_seats(struct fleet *fleet, const struct heritage *heritage)
{
    const struct heritage_line *line = NULL;
    while ((line = heritage_next(heritage, "seat", line, 8)) != NULL) {
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

int fleet_inherit(struct fleet *fleet, const struct heritage *heritage)
{
    const struct heritage_line *line = heritage_next(heritage, "fleet", NULL, 5);
    if (line == NULL || line->numbers[0] == 0 || line->numbers[0] > fleet->maximum ||
        inherit_slots(fleet, heritage) < 0 || inherit_seats(fleet, heritage) < 0)
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
