/*
 * The items of a list field, which may stand in several lines, from the last to the first: as proxies have added them. Empty items
 * are skipped (RFC 9110 5.6.1).
 *
 * A comma within a quoted string ends no item. From the right, because there it is the proxy's text, which is whole, whatever
 * stands to the left of it: a quote that a client has left open there must not swallow what follows.
 */
#ifndef HTTP_HOPS_H
#define HTTP_HOPS_H

#include "http/request.h"

struct hops {
    const struct header_section *section;
    struct slice name;
    uint32_t line;     /* fields from here on are done, or begun */
    struct slice rest; /* of that line: what stands before the items that were taken */
};

void hops_begin(struct hops *hops, const struct header_section *section, struct slice name);
/* The next one to the left, trimmed; false when there is none. */
bool hops_next(struct hops *hops, struct slice *item);

#endif
