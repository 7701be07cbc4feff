/*
 * A worker slot as the fleet sees it: the workers in its two seats, what is planned for it, and how long it pauses before a worker
 * that died is replaced. The states are in fleet/fleet.h. No allocation; the fleet owns its slots.
 */
#ifndef FLEET_SLOT_H
#define FLEET_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/worker_end.h"
#include "upgrade/upgrade_state.h"

enum { FLEET_SEATS = 2 };

enum seat_state {
    SEAT_EMPTY,
    SEAT_BOOTING, /* forked; imports the application */
    SEAT_PROVING, /* the first of its generation: serves beside its predecessor */
    SEAT_SERVING,
    SEAT_LEAVING, /* told to finish what it has */
};

struct seat {
    enum seat_state state;
    unsigned generation;
    uint64_t forked_ms;
    bool booted;               /* it has been ready */
    bool boot_is_limited;      /* BOOTING: it is killed if it is too slow, else it is told to be */
    bool asked_for_stacks;     /* BOOTING: since it is slow */
    enum replacement replaced; /* LEAVING: why another serves in its place, if one does */
    uint64_t
        deadline_ms; /* when it is killed, or BOOTING: slow, or PROVING: has proved itself; 0: never, or it has been */
};

struct backoff {
    unsigned failures; /* since the last worker that stayed well */
};

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, BACKOFF_HEALTHY_MS = 60000 };

struct slot {
    bool used; /* somebody should serve here */
    struct seat seats[FLEET_SEATS];
    enum replacement replace; /* of who serves */
    bool was_ready;           /* somebody has served here */
    uint64_t retry_ms;        /* nobody is forked before */
    struct backoff backoff;
};

const char *seat_state_name(enum seat_state state);
/* The first seat in that state, or NULL. At most one is SERVING. */
struct seat *slot_find(struct slot *slot, enum seat_state state);
/* Somebody is on the way to serve here. */
bool slot_has_successor(struct slot *slot);

/* A worker died that lived for `age_ms`: the pause before the next, in ms. 0, 100, 200, 400 ... 10000; begins anew after one that
 * lived for a minute. `random` (any number) shifts it by up to a fifth, so that slots do not move in step. */
uint64_t backoff_next(struct backoff *backoff, uint64_t age_ms, uint32_t random);

/* The slot and its seats as lines of the upgrade state. slots_load: 0, or -1 when a line does not fit into `count` slots. */
void slot_save(const struct slot *slot, unsigned number, struct upgrade_state *saved);
int slots_load(struct slot *slots, unsigned count, const struct upgrade_state *saved);

#endif
