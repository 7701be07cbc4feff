/*
 * An enumeration for a log record: "a, b, c and 4 more".
 */
#ifndef OPTIONS_LISTING_H
#define OPTIONS_LISTING_H

#include <stddef.h>

/* What is shown, of items that a stranger may have made many and long. */
enum { LISTING_SHOWN = 8, LISTING_SIZE = 512 };

struct listing {
    unsigned count; /* of items, shown or not */
    unsigned shown;
    size_t used;
    char text[LISTING_SIZE];
};

/* Begins as {0}. */
void listing_add(struct listing *listing, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The text, which ends with the number of those that are not shown. Nothing can be added afterwards. */
const char *listing_end(struct listing *listing);

#endif
