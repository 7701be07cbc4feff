/*
 * A worker slot as the fleet sees it: the workers in its two seats, the replacement that is planned
 * for it, and the pause before a worker that died is replaced. See fleet/fleet.h for the states.
 * The fleet owns its slots; all of it belongs to the master's thread.
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
    SEAT_LEAVING, /* told to finish its requests */
};

struct seat {
    enum seat_state state;
    unsigned generation;
    uint64_t forked_ms;
    bool booted;               /* the worker has been ready */
    bool boot_is_limited;      /* BOOTING: a worker that is too slow is killed, not only reported */
    bool asked_for_stacks;     /* BOOTING: since the worker is slow */
    enum replacement replaced; /* LEAVING: why another worker serves in its place, if any does */
    /* When the worker is killed (LEAVING), is slow (BOOTING) or has proved itself (PROVING). 0:
     * never, or it has happened. */
    uint64_t deadline_ms;
};

struct backoff {
    unsigned failures; /* since the last worker that stayed well */
};

enum { BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000, BACKOFF_HEALTHY_MS = 60000 };

struct slot {
    bool used; /* a worker should serve here */
    struct seat seats[FLEET_SEATS];
    enum replacement replace; /* of the worker that serves */
    bool was_ready;           /* a worker has served here */
    uint64_t retry_ms;        /* no worker is forked before */
    struct backoff backoff;
};

const char *seat_state_name(enum seat_state state);
/* The first seat in that state, or NULL. At most one seat is SERVING. */
struct seat *slot_find(struct slot *slot, enum seat_state state);
/* True when a worker boots here or proves itself. */
bool slot_has_successor(struct slot *slot);

/* The pause in ms after a worker died that had lived for `age_ms`: 0, 100, 200, 400 ... 10000.
 * The row begins again after a worker that lived for a minute. `random` (any number) shifts the
 * pause by up to a fifth, so that slots do not move in step. */
uint64_t backoff_next(struct backoff *backoff, uint64_t age_ms, uint32_t random);

/* The slot and its seats as lines of the upgrade state. slots_load: 0, or -1 when a line does
 * not fit into `count` slots. */
void slot_save(const struct slot *slot, unsigned number, struct upgrade_state *saved);
int slots_load(struct slot *slots, unsigned count, const struct upgrade_state *saved);

#endif
