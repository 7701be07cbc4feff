/*
 * Bytes received and not consumed, kept until their protocol can use them. Exactly their size while a connection waits, so
 * that ten thousand that have sent half a head cost little; NULL when there are none.
 */
#ifndef NET_PENDING_H
#define NET_PENDING_H

#include <stddef.h>

#include "base/slice.h"

struct pending {
    char *data;
    size_t size, capacity;
};

struct slice pending_slice(const struct pending *pending);

/* Keeps `bytes`, and only them; they may be the end of what is kept already. */
void pending_keep(struct pending *pending, struct slice bytes);

/* What is kept, and `bytes` behind it: valid until the next call. */
struct slice pending_append(struct pending *pending, struct slice bytes);

void pending_free(struct pending *pending);

#endif
