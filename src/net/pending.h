/*
 * Input that was received and not consumed, kept until the protocol can use it. While a connection
 * waits, the memory has exactly the size of the input, or is NULL. So ten thousand clients that
 * have sent half a head cost little.
 *
 * Belongs to the connection, and to the thread that runs the loop.
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

/* Keeps `bytes` and nothing else. They may be the end of the bytes that are kept already. */
void pending_keep(struct pending *pending, struct slice bytes);

/* The bytes that are kept, with `bytes` behind them. Valid until the next call. */
struct slice pending_append(struct pending *pending, struct slice bytes);

void pending_free(struct pending *pending);

#endif
