/*
 * The fleet: which workers there should be, and when each comes and goes. A state machine without processes, clock or sockets of
 * its own: the master tells it what has happened, and when; it acts through struct fleet_actions.
 *
 * A slot has two seats, so that a successor is up before its predecessor leaves:
 *
 *   EMPTY ──fork──> BOOTING ──ready──> SERVING ──its successor is ready, or the stop──> LEAVING ──ended──> EMPTY
 *                      └──ended──> EMPTY, a pause, again   └──ended──> EMPTY, likewise
 *
 * The first worker imports the application alone: only when it is ready the others are forked, and when it is not, that is the
 * end. Whatever fails later is tried again, with growing pauses, while the others serve.
 */
#ifndef PROC_FLEET_H
#define PROC_FLEET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "base/slice.h"
#include "proc/mailbox.h"

struct fleet;

enum { FLEET_SEATS = 2 };

/* Where a worker is: its slot has the listening sockets, its seat the mailbox and the scoreboard row. */
struct berth {
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
    int (*fork)(void *context, struct berth berth);
    void (*tell)(void *context, struct berth berth, enum message_kind kind);
    void (*kill)(void *context, struct berth berth);
    void *context;
};

/* How a worker ended. */
struct fleet_end {
    pid_t pid;
    enum worker_state state; /* what it was doing */
    bool as_asked;           /* exit status 0 */
    const char *how;         /* see proc/death.h */
    struct slice last_words; /* what it wrote when it crashed; may be empty */
};

struct fleet *fleet_new(unsigned slots, const struct fleet_actions *actions, uint64_t graceful_ms);
void fleet_free(struct fleet *fleet); /* NULL is fine */

/* What happens, each with the time in ms (base/clock.h). What is said about it is logged here. */
void fleet_start(struct fleet *fleet, uint64_t now);
void fleet_ready(struct fleet *fleet, struct berth berth, uint64_t now);
/* The worker wants to be replaced: its successor is forked, and it is told to leave when that one is ready. */
void fleet_replace(struct fleet *fleet, struct berth berth, uint64_t now);
void fleet_ended(struct fleet *fleet, struct berth berth, const struct fleet_end *end, uint64_t now);
void fleet_drain(struct fleet *fleet, uint64_t now);
void fleet_quit(struct fleet *fleet, uint64_t now); /* the second time: everybody is killed */

/* When fleet_tick is due, in ms; 0: not before something else happens. */
uint64_t fleet_due(const struct fleet *fleet);
void fleet_tick(struct fleet *fleet, uint64_t now);

enum fleet_phase fleet_phase(const struct fleet *fleet);
int fleet_exit_status(const struct fleet *fleet); /* of the program, when the fleet is over */

#endif
