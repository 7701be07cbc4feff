/*
 * A worker slot as the fleet sees it: who is in its two seats, and what is planned for it. See fleet/fleet.h for the states.
 */
#ifndef FLEET_SLOT_H
#define FLEET_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "fleet/backoff.h"

enum { FLEET_SEATS = 2 };

enum seat_state {
    SEAT_EMPTY,
    SEAT_BOOTING, /* forked; imports the application */
    SEAT_PROVING, /* the first of its generation: serves beside its predecessor */
    SEAT_SERVING,
    SEAT_LEAVING, /* told to finish what it has */
};

/* Why a worker is to be replaced. */
enum replacement {
    REPLACE_NOT,
    REPLACE_PLANNED, /* it can go on: one at a time */
    REPLACE_ASKED,   /* somebody has said so: soon, as all that follow */
    REPLACE_STUCK,   /* it cannot go on: its calls do not return */
    REPLACE_STARVED, /* it cannot accept: the application holds its descriptors */
    REPLACE_STALLED, /* it does not move: it would not hear what it is told */
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

#endif
