/*
 * Orphans: slots whose queues nobody serves, because their worker is dead, not ready yet, or takes nobody although somebody waits:
 * it does not move, has no descriptor left, or has as many connections as it may have.
 * The kernel goes on to send clients there; so the other workers take them until the slot has a worker that does.
 */
#ifndef MASTER_ORPHANS_H
#define MASTER_ORPHANS_H

#include <stdbool.h>

#include "base/scoreboard.h"
#include "net/address.h"

struct orphans;

/* `slots`: those whose sockets listen. */
struct orphans *orphans_new(struct scoreboard *board, unsigned slots, const struct address *addresses,
                            size_t address_count);
/* That one does too. */
void orphans_add_slot(struct orphans *orphans, unsigned slot);
void orphans_free(struct orphans *orphans); /* NULL is fine */

/* Something has happened to a worker. True: the marks in the scoreboard have changed. */
bool orphans_look(struct orphans *orphans);

/* Every now and then: a worker that has taken no client since the last time, although one waits, leaves them to the others. As
 * orphans_look. */
bool orphans_tick(struct orphans *orphans);

/* As the last two ticks have seen it: clients wait to be accepted by the slot's worker, and it takes none. */
bool orphans_wait(const struct orphans *orphans, unsigned slot);

#endif
