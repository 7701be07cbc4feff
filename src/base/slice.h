/*
 * A slice: bytes that it does not own. Not terminated; may hold any byte. No state; any thread.
 */
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *data;
    size_t size;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    /* memcmp must not get the NULL of an empty slice. */
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

/* Ignores the case of ASCII letters, in any locale. */
bool slice_eq_nocase(struct slice a, struct slice b);

/* Removes SP and HTAB at both ends (OWS of RFC 9110, 5.6.3). */
struct slice slice_trim(struct slice s);

/* Cuts `list` at the first `separator`: returns the part before it, trimmed, and leaves the rest in
 * `list`. After the last part, list->data is NULL. For the comma-separated lists of RFC 9110,
 * 5.6.1. */
struct slice slice_next(struct slice *list, char separator);

/* Reads decimal digits, without sign, white space or overflow. 0, or -1 and *value is unchanged. */
int slice_to_uint64(struct slice s, uint64_t *value);

#endif
