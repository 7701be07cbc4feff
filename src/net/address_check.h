/*
 * Whether an address can be listened on, without listening. Any process may call this.
 */
#ifndef NET_ADDRESS_CHECK_H
#define NET_ADDRESS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

/* For an address that address_parse has accepted. 0, or -1 and errno, with the sentence of
 * address_listen in `message`. A server that listens there is fine: it may be the service that the
 * user asks about. Nothing listens meanwhile, and nothing is left behind. */
int address_check(const struct address *address, char *message, size_t message_size);

/* True when the two addresses cannot both be listened on. */
bool address_overlaps(const struct address *a, const struct address *b);

#endif
