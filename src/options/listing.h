/*
 * An enumeration for a log record: "a, b, c and 4 more". The caller owns it; one thread at a time.
 */
#ifndef OPTIONS_LISTING_H
#define OPTIONS_LISTING_H

#include <stddef.h>

/* Limits for the shown text, because a stranger may have made many and long items. */
enum { LISTING_SHOWN = 8, LISTING_SIZE = 512 };

struct listing {
    unsigned count; /* of items, shown or not */
    unsigned shown;
    size_t used;
    char text[LISTING_SIZE];
};

/* Adds an item. A listing begins as {0}. */
void listing_add(struct listing *listing, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text, which ends with the number of hidden items. No item may be added afterwards. */
const char *listing_end(struct listing *listing);

#endif
