/*
 * Whether an address could be listened on, for whoever does not want to yet.
 */
#ifndef NET_ADDRESS_CHECK_H
#define NET_ADDRESS_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

/* Of one that address_parse has understood: 0, or -1 with the sentence that address_listen would have in `message`, and errno. That somebody
 * listens there, perhaps the service that is asked about, is fine. Nothing listens meanwhile, and nothing is left behind. */
int address_check(const struct address *address, char *message, size_t message_size);

/* Whether one of them would be in the way of the other. */
bool address_overlaps(const struct address *a, const struct address *b);

#endif
