/* A worker slot as the fleet sees it. */
#include "fleet/slot.h"

#include <stddef.h>

const char *seat_state_name(enum seat_state state)
{
    static const char *const names[] = {
        [SEAT_EMPTY] = "empty",     [SEAT_BOOTING] = "booting", [SEAT_PROVING] = "proving",
        [SEAT_SERVING] = "serving", [SEAT_LEAVING] = "leaving",
    };
    return names[state];
}

struct seat *slot_find(struct slot *slot, enum seat_state state)
{
    for (unsigned i = 0; i < FLEET_SEATS; i++)
        if (slot->seats[i].state == state)
            return &slot->seats[i];
    return NULL;
}

bool slot_has_successor(struct slot *slot)
{
    return slot_find(slot, SEAT_BOOTING) != NULL || slot_find(slot, SEAT_PROVING) != NULL;
}

uint64_t backoff_next(struct backoff *backoff, uint64_t age_ms, uint32_t random)
{
    if (age_ms >= BACKOFF_HEALTHY_MS)
        backoff->failures = 0;
    unsigned failures = backoff->failures++;
    if (failures == 0)
        return 0;
    uint64_t pause = BACKOFF_MAX_MS;
    if (failures <= 7 && (uint64_t)BACKOFF_FIRST_MS << (failures - 1) < BACKOFF_MAX_MS)
        pause = (uint64_t)BACKOFF_FIRST_MS << (failures - 1);
    /* 80 % to 120 % */
    return pause * (80 + random % 41) / 100;
}

void slot_save(const struct slot *slot, unsigned number, struct upgrade_state *saved)
{
    upgrade_state_add(saved, "slot", NULL, SAVED_NUMBERS(number, slot->replace, slot->retry_ms, slot->used));
    for (unsigned i = 0; i < FLEET_SEATS; i++) {
        const struct seat *seat = &slot->seats[i];
        if (seat->state != SEAT_EMPTY)
            upgrade_state_add(saved, "seat", NULL,
                              SAVED_NUMBERS(number, i, seat->state, seat->generation, seat->forked_ms,
                                            seat->booted, seat->replaced, seat->deadline_ms));
    }
}

static int load_slots(struct slot *slots, unsigned count, const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "slot", line, 4)) != NULL) {
        if (line->numbers[0] >= count)
            return -1;
        struct slot *slot = &slots[line->numbers[0]];
        slot->replace = (enum replacement)line->numbers[1];
        slot->retry_ms = line->numbers[2];
        slot->used = line->numbers[3];
    }
    return 0;
}

static int load_seats(struct slot *slots, unsigned count, const struct upgrade_state *saved)
{
    const struct saved_line *line = NULL;
    while ((line = upgrade_state_next(saved, "seat", line, 8)) != NULL) {
        if (line->numbers[0] >= count || line->numbers[1] >= FLEET_SEATS)
            return -1;
        slots[line->numbers[0]].seats[line->numbers[1]] = (struct seat){
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

int slots_load(struct slot *slots, unsigned count, const struct upgrade_state *saved)
{
    return load_slots(slots, count, saved) == 0 && load_seats(slots, count, saved) == 0 ? 0 : -1;
}
