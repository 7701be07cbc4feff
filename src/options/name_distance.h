/*
 * The distance between a typed name and an existing one, for "did you mean". An underscore counts
 * as a dash. Any thread.
 */
#ifndef OPTIONS_NAME_DISTANCE_H
#define OPTIONS_NAME_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>

/* The number of insertions, deletions, replacements and swaps of neighbours that turn `typed` into
 * `name`; SIZE_MAX when the names are too different. */
size_t name_distance(const char *typed, size_t size, const char *name);
bool name_starts_with(const char *name, const char *start, size_t size);

#endif
