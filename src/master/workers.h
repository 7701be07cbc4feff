/*
 * The master's workers: their slots and seats, the fleet's actions, their messages and their ends.
 * The fleet decides (fleet/fleet.h); this module acts, and tells the fleet what has happened.
 *
 * Only the master calls these, in its loop. A row's number is slot * FLEET_SEATS + seat.
 */
#ifndef MASTER_WORKERS_H
#define MASTER_WORKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "master/master_state.h"

/* Makes the fleet, and the unserved slots and stalls, which watch its workers. */
void workers_open_fleet(struct master *master);

/*
 * Allocates the seats, after workers_open_fleet, and opens those of the first slots unless
 * master->saved has them. 0, or -1 after a log record.
 */
int workers_open_slots(struct master *master);

/* Reads the seat's worker channel, which is open, from the next turn of the loop on. */
void workers_watch_seat(struct master *master, struct seat_id seat_id);

/* Sends a message to every worker. */
void workers_tell_all(struct master *master, enum message_kind kind);

/* Sends the row's worker a message that makes its loop turn. */
void workers_ping(void *context, unsigned number);

/* Fills in what the row's worker is started with, for struct zygote_pool_setup. */
void workers_describe(void *context, unsigned number, unsigned generation, struct worker_setup *setup);

/* A child has ended. True: the child was a worker, and the fleet knows. */
bool workers_ended(struct master *master, pid_t pid, int status);

/*
 * Adds or retires a worker (1, -1). 0, or -1 with one sentence in `message`, which is logged here.
 */
int workers_resize(struct master *master, int change, char *message, size_t size);

/* Adds or retires workers until there are as many as the options of a reload say. */
void workers_change(struct master *master);

#endif
