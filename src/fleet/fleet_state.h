/*
 * The inside of the fleet, for fleet.c and its neighbours: fleet_reload.c and fleet_stop.c.
 */
#ifndef FLEET_FLEET_STATE_H
#define FLEET_FLEET_STATE_H

#include <stdbool.h>

#include "fleet/fleet.h"

/* What workers get beyond the time in which they are asked to leave, before they are killed. */
enum { GRACE_MS = 2000 };

/* For Python to write the stacks of a worker that imports, on a busy machine. */
enum { STACKS_MS = 1000 };

enum reload_state {
    RELOAD_NONE,
    RELOAD_PROBING, /* the first worker of the new generation has to prove itself */
    RELOAD_ROLLING, /* it has: one slot after the other gets one */
};

struct fleet {
    struct fleet_actions actions;
    struct fleet_limits limits;
    enum fleet_phase phase;
    enum reload_state reload;
    bool reload_again;
    unsigned generation; /* that all should have; while PROBING the probe alone */
    unsigned proven;     /* the last that had one serving */
    unsigned reloads;    /* begun */
    unsigned lost;
    uint64_t reload_ms; /* since when */
    int exit_status;
    uint64_t started_ms;
    uint32_t random;
    unsigned starting; /* slots at the start */
    unsigned ready;    /* of them, where somebody has served */
    unsigned count;    /* slots where somebody should */
    unsigned maximum;  /* slots that there can be */
    struct slot slots[];
};

bool fleet_is_stopping(const struct fleet *fleet);
bool fleet_is_empty(struct fleet *fleet); /* nobody is in any seat */
struct seat_id fleet_seat_id_of(struct fleet *fleet, const struct slot *slot, const struct seat *seat);
/* Every seat of every slot, those that are not in use too. */
void fleet_visit_all(struct fleet *fleet, uint64_t now,
                     void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now));

/* Forks who is wanted and can be. */
void fleet_fill_all(struct fleet *fleet, uint64_t now);
/* From now on it is the slot's worker; whoever was has to serve no longer. */
void fleet_take_over(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now);
/* Within --graceful-timeout, and a little. */
void fleet_tell_to_leave(struct fleet *fleet, struct slot *slot, struct seat *seat, enum message_kind kind,
                         uint64_t deadline_ms);
uint64_t fleet_leave_by(const struct fleet *fleet, uint64_t now);
void fleet_kill_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, enum kill_reason why);

/* Of fleet_reload.c. */
struct seat *fleet_find_probe(struct fleet *fleet); /* NULL: there is none */
/* Of whoever is forked for the slot now: while a generation is to be proved, only its probe is of it. */
unsigned fleet_generation_for(struct fleet *fleet, struct slot *slot);
void fleet_begin_reload(struct fleet *fleet, uint64_t now);
void fleet_probe_is_good(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now);
/* A slot has its worker of the new generation, or is gone: perhaps it was the last. */
void fleet_finish_reload(struct fleet *fleet, uint64_t now);
/* The generation is dropped, as if it had never been. */
void fleet_drop_generation(struct fleet *fleet, const struct worker_end *end, uint64_t now);
/* The service stops; also a reload that was asked for and has not begun. */
void fleet_abandon_reload(struct fleet *fleet);

#endif
