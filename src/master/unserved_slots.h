/*
 * Unserved slots: slots whose queues no worker serves. Their worker is dead or not ready yet; or a
 * client waits, and the worker takes none. Then the worker does not move, has no descriptor left,
 * or has as many connections as it may have. The kernel goes on to send clients there. So the other
 * workers take them until the slot has a worker that does.
 *
 * The master calls these, in its loop.
 */
#ifndef MASTER_UNSERVED_SLOTS_H
#define MASTER_UNSERVED_SLOTS_H

#include <stdbool.h>

#include "base/scoreboard.h"
#include "net/address.h"

struct unserved_slots;

/*
 * Watches the first `slots` slots: those whose sockets listen. The addresses must outlive the
 * struct.
 */
struct unserved_slots *unserved_slots_new(struct scoreboard *board, unsigned slots,
                                          const struct address *addresses, size_t address_count);
/* Watches that slot too: its sockets listen. */
void unserved_slots_add_slot(struct unserved_slots *unserved, unsigned slot);
void unserved_slots_free(struct unserved_slots *unserved); /* NULL is fine */

/* Sets the marks in the scoreboard after a change of a worker. True: the marks have changed. */
bool unserved_slots_look(struct unserved_slots *unserved);

/*
 * Looks at the queues, at intervals. A worker leaves its clients to the others when one waits and
 * the worker has taken none since the last tick. Returns as unserved_slots_look.
 */
bool unserved_slots_tick(struct unserved_slots *unserved);

/*
 * True: clients wait to be accepted by the slot's worker, and the worker takes none, as of the last
 * two ticks.
 */
bool unserved_slots_wait(const struct unserved_slots *unserved, unsigned slot);

#endif
