/* How far a name that was typed is from one that exists. */
#include "base/name_distance.h"

#include <stdint.h>

/* An unknown name longer than this is nothing that was mistyped. */
enum { TYPED_MAX = 48 };

static char dashed(char c)
{
    return c == '_' ? '-' : c;
}

bool name_starts_with(const char *name, const char *start, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (name[i] == '\0' || dashed(name[i]) != dashed(start[i]))
            return false;
    }
    return true;
}

static size_t least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* The rows of the matrix, one after the other. */
static size_t edits(const char *a, size_t a_size, const char *b)
{
    size_t row[TYPED_MAX + 1];
    for (size_t i = 0; i <= a_size; i++)
        row[i] = i;
    for (size_t k = 1; b[k - 1] != '\0'; k++) {
        size_t diagonal = row[0];
        row[0] = k;
        for (size_t i = 1; i <= a_size; i++) {
            size_t above = row[i];
            row[i] = least(row[i] + 1, row[i - 1] + 1, diagonal + (dashed(a[i - 1]) != dashed(b[k - 1])));
            diagonal = above;
        }
    }
    return row[a_size];
}

size_t name_distance(const char *typed, size_t size, const char *name)
{
    if (size == 0 || size > TYPED_MAX)
        return SIZE_MAX;
    size_t distance = edits(typed, size, name);
    /* More than half of it wrong: something else was meant. Unless it is only unfinished. */
    return distance > (size + 1) / 2 && !name_starts_with(name, typed, size) ? SIZE_MAX : distance;
}
