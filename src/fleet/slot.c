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
