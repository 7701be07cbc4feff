/* The distance between a typed name and an existing one. */
#include "options/name_distance.h"

#include <stdint.h>

/* A longer unknown name is no typing error. */
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

static bool is_swapped(const char *a, const char *b)
{
    return dashed(a[0]) == dashed(b[1]) && dashed(a[1]) == dashed(b[0]);
}

/* Keeps three rows of the matrix: the present one and the two before. */
static size_t edits(const char *a, size_t a_size, const char *b)
{
    size_t rows[3][TYPED_MAX + 1], k = 0;
    for (size_t i = 0; i <= a_size; i++)
        rows[0][i] = i;
    for (k = 1; b[k - 1] != '\0'; k++) {
        size_t *row = rows[k % 3], *above = rows[(k + 2) % 3], *before = rows[(k + 1) % 3];
        row[0] = k;
        for (size_t i = 1; i <= a_size; i++) {
            size_t other = dashed(a[i - 1]) != dashed(b[k - 1]);
            row[i] = least(above[i] + 1, row[i - 1] + 1, above[i - 1] + other);
            if (i > 1 && k > 1 && is_swapped(a + i - 2, b + k - 2) && before[i - 2] + 1 < row[i])
                row[i] = before[i - 2] + 1;
        }
    }
    return rows[(k - 1) % 3][a_size];
}

size_t name_distance(const char *typed, size_t size, const char *name)
{
    if (size == 0 || size > TYPED_MAX)
        return SIZE_MAX;
    size_t distance = edits(typed, size, name);
    /* More than a third is wrong: the user meant another name, unless the typed name is an
     * unfinished one. */
    return distance > size / 3 && !name_starts_with(name, typed, size) ? SIZE_MAX : distance;
}
