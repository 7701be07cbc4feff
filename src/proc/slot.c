/* A worker slot as the fleet sees it. */
#include "proc/slot.h"

#include <stddef.h>

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
