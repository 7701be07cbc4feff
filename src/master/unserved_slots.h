/*
 * Unserved slots: slots whose queues nobody serves, because their worker is dead, not ready yet, or takes nobody although somebody waits:
 * it does not move, has no descriptor left, or has as many connections as it may have.
 * The kernel goes on to send clients there; so the other workers take them until the slot has a worker that does.
 */
#ifndef MASTER_UNSERVED_SLOTS_H
#define MASTER_UNSERVED_SLOTS_H

#include <stdbool.h>

#include "base/scoreboard.h"
#include "net/address.h"

struct unserved_slots;

/* `slots`: those whose sockets listen. */
struct unserved_slots *unserved_slots_new(struct scoreboard *board, unsigned slots,
                                          const struct address *addresses, size_t address_count);
/* That one does too. */
void unserved_slots_add_slot(struct unserved_slots *unserved, unsigned slot);
void unserved_slots_free(struct unserved_slots *unserved); /* NULL is fine */

/* Something has happened to a worker. True: the marks in the scoreboard have changed. */
bool unserved_slots_look(struct unserved_slots *unserved);

/* Every now and then: a worker that has taken no client since the last time, although one waits, leaves them to the others. As
 * unserved_slots_look. */
bool unserved_slots_tick(struct unserved_slots *unserved);

/* As the last two ticks have seen it: clients wait to be accepted by the slot's worker, and it takes none. */
bool unserved_slots_wait(const struct unserved_slots *unserved, unsigned slot);

#endif
