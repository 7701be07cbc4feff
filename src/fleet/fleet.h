/*
 * The fleet: which workers there should be, and when each comes and goes.
 *
 * The fleet is a state machine without processes, clock or sockets of its own. The master reports
 * what happened, and when; the fleet acts through struct fleet_actions. It belongs to the master's
 * thread. Times are in ms (base/clock.h). Functions log what a user should know.
 *
 * A slot has two seats, so that a successor serves before its predecessor leaves:
 *
 *   EMPTY ──fork──> BOOTING ──ready──> SERVING ──told to leave──> LEAVING ──ended──> EMPTY
 *                      │  └──ready──> PROVING ──proving_ms───^   │
 *                      └──ended──────────┴───────────────────────┴──> EMPTY, a pause, again
 *
 * The first worker imports the application alone. The fleet forks the others when it is ready, and
 * is over when it fails. A later failure is tried again, with growing pauses, while the others
 * serve.
 *
 * A reload begins a generation. Its first worker is the probe, which serves beside its predecessor.
 * When the probe is not ready in time, or ends soon, the fleet drops the generation, and nothing
 * else has changed. Otherwise one worker after the other is replaced. Planned replacements come one
 * at a time; a worker that cannot go on is replaced at once.
 */
#ifndef FLEET_FLEET_H
#define FLEET_FLEET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "fleet/slot.h"
#include "proc/worker_channel.h"
#include "proc/worker_end.h"
#include "upgrade/upgrade_state.h"

struct fleet;

/* The place of a worker. Its slot has the listening sockets; its seat has the worker channel and
 * the scoreboard row. */
struct seat_id {
    unsigned slot, seat;
};

enum fleet_phase {
    FLEET_STARTING, /* the first worker imports the application, alone */
    FLEET_SERVING,
    FLEET_DRAINING, /* workers finish their requests */
    FLEET_STOPPING, /* workers leave at once */
    FLEET_KILLING,  /* the master kills the workers */
    FLEET_OVER,     /* no worker is left, or nothing was ever served */
};

struct fleet_actions {
    /* 0, or -1 and errno. */
    int (*fork)(void *context, struct seat_id seat_id, unsigned generation);
    void (*tell)(void *context, struct seat_id seat_id, enum message_kind kind);
    void (*kill)(void *context, struct seat_id seat_id, enum kill_reason why);
    /* Asks a worker that has been importing for --timeout for its stacks, which arrive a moment
     * later. */
    void (*ask_stacks)(void *context, struct seat_id seat_id);
    /* The stacks are there. The fleet goes on waiting for the worker. */
    void (*boots_slowly)(void *context, struct seat_id seat_id);
    /* Whether the worker does little or nothing for clients: it goes first when the fleet shrinks.
     * NULL: no worker does. */
    bool (*ails)(void *context, struct seat_id seat_id);
    /* The last reload that was begun, and all before it, are over. The generation serves in every
     * slot, or `failure` says why it was dropped; `words` may be empty. */
    void (*reloaded)(void *context, unsigned generation, const char *failure, struct slice words);
    /* A worker that had to be replaced has ended. Not called for a worker that a reload
     * replaces, or that leaves for good. */
    void (*restarted)(void *context, const struct worker_end *end, enum restart_cause cause);
    void *context;
};

struct fleet_limits {
    unsigned slots;       /* the maximum; at least as many as fleet_new got */
    uint64_t graceful_ms; /* for a worker to leave */
    uint64_t boot_ms;     /* for a reload's worker to be ready; others are reported as slow. 0: none */
    uint64_t proving_ms;  /* for the probe to serve before it counts as good; 0: until it is ready */
    bool impatient;       /* a reload does not wait for the requests of workers that leave */
};

/* Begins with `slots`. The caller owns the fleet; actions and limits are copied. */
struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions,
                        const struct fleet_limits *limits);
void fleet_free(struct fleet *fleet); /* NULL is fine */

/* Replaces the limits; `slots` stays. */
void fleet_limit(struct fleet *fleet, const struct fleet_limits *limits);

/* Events, each with the time. */
void fleet_start(struct fleet *fleet, uint64_t now);
void fleet_ready(struct fleet *fleet, struct seat_id seat_id, uint64_t now);
/* The worker wants to be replaced: the fleet forks its successor, and tells the worker to leave
 * when that is ready. */
void fleet_replace(struct fleet *fleet, struct seat_id seat_id, enum replacement why, uint64_t now);
/* Adds a slot (1), or takes away the last one or one whose worker ails (-1). 0, or -1: the limit is
 * reached, or the fleet is not serving. */
int fleet_resize(struct fleet *fleet, int change, uint64_t now);
/* Finishes a reload that is under way, and then begins another. */
void fleet_reload(struct fleet *fleet, uint64_t now);
void fleet_ended(struct fleet *fleet, struct seat_id seat_id, const struct worker_end *end, uint64_t now);
void fleet_drain(struct fleet *fleet, uint64_t now);
void fleet_quit(struct fleet *fleet, uint64_t now); /* kills all workers at the second call */

/* The time at which fleet_tick is due; 0: after the next event only. */
uint64_t fleet_due(const struct fleet *fleet);
void fleet_tick(struct fleet *fleet, uint64_t now);

/* True when no worker boots and no reload is under way: another program can carry on then. That
 * one calls fleet_new with the same limits, and fleet_load in place of fleet_start. fleet_load:
 * 0, or -1 when the saved state does not fit. */
bool fleet_is_calm(const struct fleet *fleet);
void fleet_save(const struct fleet *fleet, struct upgrade_state *saved);
int fleet_load(struct fleet *fleet, const struct upgrade_state *saved);

struct fleet_status {
    enum fleet_phase phase;
    bool reloading;
    unsigned reloads;    /* begun so far; the next that is asked for has the next number */
    unsigned generation; /* the last that has proved itself */
    unsigned lost;       /* workers that ended without being told to */
    uint64_t started_ms;
};

void fleet_describe(const struct fleet *fleet, struct fleet_status *status);
enum seat_state fleet_seat(const struct fleet *fleet, struct seat_id seat_id);
unsigned fleet_slots(const struct fleet *fleet); /* slots in which a worker should serve */
enum fleet_phase fleet_phase(const struct fleet *fleet);
int fleet_exit_status(const struct fleet *fleet); /* of the program, when the fleet is over */

#endif
