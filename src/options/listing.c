/* An enumeration for a log record. */
#include "options/listing.h"

#include <stdarg.h>
#include <stdio.h>

/* For " and 4294967295 more" and the end. */
enum { REST_SIZE = 32 };

void listing_add(struct listing *listing, const char *format, ...)
{
    size_t room = LISTING_SIZE - REST_SIZE - listing->used;
    char *at = listing->text + listing->used;
    va_list args;
    listing->count++;
    if (listing->shown < listing->count - 1 || listing->shown == LISTING_SHOWN)
        return; /* an item was already left out */
    size_t size = (size_t)snprintf(at, room, listing->shown > 0 ? ", " : "");
    va_start(args, format);
    size += (size_t)vsnprintf(at + size, size < room ? room - size : 0, format, args);
    va_end(args);
    if (size >= room) {
        *at = '\0';
        return;
    }
    listing->used += size;
    listing->shown++;
}

const char *listing_end(struct listing *listing)
{
    unsigned rest = listing->count - listing->shown;
    if (rest > 0)
        snprintf(listing->text + listing->used, LISTING_SIZE - listing->used, "%s%u more",
                 listing->shown > 0 ? " and " : "", rest);
    return listing->text;
}
