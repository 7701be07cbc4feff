/* Input that was received and not consumed. */
#include "net/pending.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct slice pending_slice(const struct pending *pending)
{
    return (struct slice){pending->data, pending->size};
}

void pending_keep(struct pending *pending, struct slice bytes)
{
    if (bytes.size == 0) {
        pending_free(pending);
        return;
    }
    bool inside =
        pending->data != NULL && bytes.data >= pending->data && bytes.data < pending->data + pending->size;
    if (inside)
        memmove(pending->data, bytes.data, bytes.size);
    pending->data = xrealloc(pending->data, bytes.size);
    if (!inside)
        memcpy(pending->data, bytes.data, bytes.size);
    pending->size = pending->capacity = bytes.size;
}

struct slice pending_append(struct pending *pending, struct slice bytes)
{
    if (pending->size + bytes.size > pending->capacity) {
        pending->capacity = (pending->size + bytes.size) * 2;
        pending->data = xrealloc(pending->data, pending->capacity);
    }
    memcpy(pending->data + pending->size, bytes.data, bytes.size);
    pending->size += bytes.size;
    return pending_slice(pending);
}

void pending_free(struct pending *pending)
{
    free(pending->data);
    *pending = (struct pending){0};
}
