/*
 * How far a name that was typed is from one that exists: for "did you mean". An underscore is as good as a dash.
 */
#ifndef OPTIONS_NAME_DISTANCE_H
#define OPTIONS_NAME_DISTANCE_H

#include <stdbool.h>
#include <stddef.h>

/* The insertions, deletions, replacements and swaps of neighbours that turn `typed` into `name`; SIZE_MAX when something else must
 * have been meant. */
size_t name_distance(const char *typed, size_t size, const char *name);
bool name_starts_with(const char *name, const char *start, size_t size);

#endif
