/*
 * The listening sockets in the heritage (upgrade/heritage.h): an address is a line.
 */
#ifndef UPGRADE_ADDRESS_HERITAGE_H
#define UPGRADE_ADDRESS_HERITAGE_H

#include "net/address.h"
#include "upgrade/heritage.h"

void address_bequeath(const struct address *address, const char *key, struct heritage *heritage);

/* The next address with that key, as heritage_next has it; its sockets are those of the one before. NULL: there is no more. `option` is
 * the one it was given with. */
const struct heritage_line *address_inherit(struct address *address, const char *key, const char *option,
                                            const struct heritage *heritage,
                                            const struct heritage_line *after);

#endif
