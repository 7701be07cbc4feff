/*
 * The fleet: which workers there should be, and when each comes and goes. A state machine without processes, clock or sockets of
 * its own: the master tells it what has happened, and when; it acts through struct fleet_actions.
 *
 * A slot has two seats, so that a successor is up before its predecessor leaves:
 *
 *   EMPTY ──fork──> BOOTING ──ready──> SERVING ──its successor is ready, or the stop──> LEAVING ──ended──> EMPTY
 *                      │  └──ready──> PROVING ──proving_ms───^   │
 *                      └──ended──────────┴───────────────────────┴──> EMPTY, a pause, again
 *
 * The first worker imports the application alone: only when it is ready the others are forked, and when it is not, that is the
 * end. Whatever fails later is tried again, with growing pauses, while the others serve.
 *
 * A reload begins a generation. Its first worker is the probe: it serves beside its predecessor, and when it is not ready in time, or
 * ends soon, the generation is dropped and nothing else has happened. Then one worker after the other is replaced. Planned
 * replacements are made one at a time; those of workers that cannot go on at once.
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

/* Where a worker is: its slot has the listening sockets, its seat the worker channel and the scoreboard row. */
struct seat_id {
    unsigned slot, seat;
};

enum fleet_phase {
    FLEET_STARTING, /* the first worker imports the application, alone */
    FLEET_SERVING,
    FLEET_DRAINING, /* workers finish what they have */
    FLEET_STOPPING, /* workers leave now */
    FLEET_KILLING,  /* nobody is asked any more */
    FLEET_OVER,     /* nobody is left, or nothing was ever served */
};

struct fleet_actions {
    /* 0, or -1 and errno. */
    int (*fork)(void *context, struct seat_id seat_id, unsigned generation);
    void (*tell)(void *context, struct seat_id seat_id, enum message_kind kind);
    void (*kill)(void *context, struct seat_id seat_id, enum kill_reason why);
    /* The worker there has been importing for --timeout: its stacks are asked for, and are there in a moment. */
    void (*ask_stacks)(void *context, struct seat_id seat_id);
    /* They are; it is waited for all the same. */
    void (*boots_slowly)(void *context, struct seat_id seat_id);
    /* The worker there does little or nothing for clients: it is the first to go when there is one too many. NULL: none does. */
    bool (*ails)(void *context, struct seat_id seat_id);
    /* The last reload that was begun, and all before it, are over: the generation serves in every slot, or `failure` says why it was
     * dropped (with `words`, which may be empty). */
    void (*reloaded)(void *context, unsigned generation, const char *failure, struct slice words);
    /* One that had to be replaced has ended. Those that a reload replaces, or that leave for good, are none. */
    void (*restarted)(void *context, const struct worker_end *end, enum restart_cause cause);
    void *context;
};

struct fleet_limits {
    unsigned slots;       /* that there can be; fleet_new's are the least */
    uint64_t graceful_ms; /* for a worker to leave */
    uint64_t boot_ms;     /* for a reload's to be ready; others are told to be slow then. 0: no limit */
    uint64_t proving_ms;  /* who serves that long is as good as its predecessor; 0: who is ready */
    bool impatient;       /* a reload does not wait until who leaves has finished its requests */
};

/* `slots` to begin with. */
struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions,
                        const struct fleet_limits *limits);
void fleet_free(struct fleet *fleet); /* NULL is fine */

/* From now on; `slots` stays. */
void fleet_limit(struct fleet *fleet, const struct fleet_limits *limits);

/* What happens, each with the time in ms (base/clock.h). What is said about it is logged here. */
void fleet_start(struct fleet *fleet, uint64_t now);
void fleet_ready(struct fleet *fleet, struct seat_id seat_id, uint64_t now);
/* The worker wants to be replaced: its successor is forked, and it is told to leave when that one is ready. */
void fleet_replace(struct fleet *fleet, struct seat_id seat_id, enum replacement why, uint64_t now);
/* One slot more, or one less (1, -1): the last, or one whose worker is ill. 0, or -1: there can be no more or no less, or it is not the time. */
int fleet_resize(struct fleet *fleet, int change, uint64_t now);
/* One that is under way is finished first, and then all is done once more. */
void fleet_reload(struct fleet *fleet, uint64_t now);
void fleet_ended(struct fleet *fleet, struct seat_id seat_id, const struct worker_end *end, uint64_t now);
void fleet_drain(struct fleet *fleet, uint64_t now);
void fleet_quit(struct fleet *fleet, uint64_t now); /* the second time: everybody is killed */

/* When fleet_tick is due, in ms; 0: not before something else happens. */
uint64_t fleet_due(const struct fleet *fleet);
void fleet_tick(struct fleet *fleet, uint64_t now);

/* Nobody is on the way, and no reload: the moment to be carried on by another program, which begins with fleet_new, the same limits, and
 * fleet_load in the place of fleet_start. That: 0, or -1 when nothing was left to it that fits. */
bool fleet_is_calm(const struct fleet *fleet);
void fleet_save(const struct fleet *fleet, struct upgrade_state *saved);
int fleet_load(struct fleet *fleet, const struct upgrade_state *saved);

struct fleet_status {
    enum fleet_phase phase;
    bool reloading;
    unsigned reloads;    /* begun so far: one that is asked for now is the next */
    unsigned generation; /* the last that has proved itself */
    unsigned lost;       /* workers that ended and were not asked to */
    uint64_t started_ms;
};

void fleet_describe(const struct fleet *fleet, struct fleet_status *status);
enum seat_state fleet_seat(const struct fleet *fleet, struct seat_id seat_id);
unsigned fleet_slots(const struct fleet *fleet); /* in which somebody should serve */
enum fleet_phase fleet_phase(const struct fleet *fleet);
int fleet_exit_status(const struct fleet *fleet); /* of the program, when the fleet is over */

#endif
