/*
 * Which fields of trusted proxies are believed, as --forwarded-headers has them. A proxy passes on what it does not set, so a
 * field that no proxy here sets is the client's own.
 *
 *   for,proto   for,proto,host,port,prefix,by   for,proto,X-Forwarded-User
 *
 * A word stands for X-Forwarded-WORD, and for the parameter of that name in Forwarded (RFC 7239). A whole name is that of a field
 * that the application reads itself: any other X-Forwarded-NAME, X-Real-IP, X-Client-IP.
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
    char *list;     /* NULL, or a copy of the text with the whole names */
};

/* Commas between the items, white space around them, in any case; there may be none. 0, or -1 and in `wrong` what is wrong with
 * the list, a verb and its object: then there is nothing to be freed. */
int forwarded_fields_parse(struct forwarded_fields *fields, const char *list, char *wrong, size_t size);
void forwarded_fields_free(struct forwarded_fields *fields);

static inline bool forwarded_fields_have(const struct forwarded_fields *fields, enum forwarded_part part)
{
    return fields->parts >> part & 1;
}

/* The part that the word, or X-Forwarded-WORD, stands for; FORWARDED_PARTS: none. */
enum forwarded_part forwarded_part_find(struct slice word);
/* Whether the list has the whole name of the field. */
bool forwarded_fields_name(const struct forwarded_fields *fields, struct slice name);

#endif
