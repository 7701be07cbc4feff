/*
 * The listening sockets in the upgrade state (upgrade/upgrade_state.h): an address is a line.
 */
#ifndef UPGRADE_ADDRESS_STATE_H
#define UPGRADE_ADDRESS_STATE_H

#include "net/address.h"
#include "upgrade/upgrade_state.h"

void address_save(const struct address *address, const char *key, struct upgrade_state *saved);

/* The next address with that key, as upgrade_state_next has it; its sockets are those of the one before. NULL: there is no more. `option` is
 * the one it was given with. */
const struct saved_line *address_load(struct address *address, const char *key, const char *option,
                                      const struct upgrade_state *saved, const struct saved_line *after);

#endif
