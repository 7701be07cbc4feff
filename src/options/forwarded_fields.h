/*
 * The fields of trusted proxies that are believed, as in --forwarded-headers. A proxy passes on the
 * fields that it does not set. So a field that no proxy here sets comes from the client.
 *
 *   for,proto   for,proto,host,port,prefix,by   for,proto,X-Forwarded-User
 *
 * A word means X-Forwarded-WORD, and the parameter of that name in Forwarded (RFC 7239). A whole
 * name means a field that the application reads itself: any other X-Forwarded-NAME, X-Real-IP,
 * X-Client-IP.
 */
#ifndef OPTIONS_FORWARDED_FIELDS_H
#define OPTIONS_FORWARDED_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

/* In the order of the words, and of enum forwarded_name in http/forwarded.h. */
enum forwarded_part { PART_FOR, PART_PROTO, PART_HOST, PART_PORT, PART_PREFIX, PART_BY, FORWARDED_PARTS };

struct forwarded_fields {
    unsigned parts; /* a bit for each enum forwarded_part */
    char *list;     /* NULL, or a copy of a list with whole names */
};

/* Reads a list with commas between the items; white space around them and case do not matter.
 * The list may be empty. 0; or -1 and a verb with its object in `wrong`: then nothing is to be
 * freed. */
int forwarded_fields_parse(struct forwarded_fields *fields, const char *list, char *wrong, size_t size);
void forwarded_fields_free(struct forwarded_fields *fields);

static inline bool forwarded_fields_have(const struct forwarded_fields *fields, enum forwarded_part part)
{
    return fields->parts >> part & 1;
}

/* The part that the word, or X-Forwarded-WORD, means; FORWARDED_PARTS: none. */
enum forwarded_part forwarded_part_find(struct slice word);
/* Whether the list contains the field by its whole name. */
bool forwarded_fields_name(const struct forwarded_fields *fields, struct slice name);

#endif
