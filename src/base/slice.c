/*
 * Slices: comparison, trimming, lists and numbers. The functions do not allocate and know no
 * protocol.
 */
#include "base/slice.h"

static unsigned char lower(char c)
{
    return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool slice_eq_nocase(struct slice a, struct slice b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (a.data[i] != b.data[i] && lower(a.data[i]) != lower(b.data[i]))
            return false;
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.size > 0 && is_blank(s.data[0])) {
        s.data++;
        s.size--;
    }
    while (s.size > 0 && is_blank(s.data[s.size - 1]))
        s.size--;
    return s;
}

struct slice slice_next(struct slice *list, char separator)
{
    const char *cut = list->size > 0 ? memchr(list->data, separator, list->size) : NULL;
    if (cut == NULL) {
        struct slice last = slice_trim(*list);
        *list = (struct slice){NULL, 0};
        return last;
    }
    struct slice head = {list->data, (size_t)(cut - list->data)};
    list->data = cut + 1;
    list->size -= head.size + 1;
    return slice_trim(head);
}

int slice_to_uint64(struct slice s, uint64_t *value)
{
    uint64_t total = 0;
    if (s.size == 0)
        return -1;
    for (size_t i = 0; i < s.size; i++) {
        unsigned digit = (unsigned)((unsigned char)s.data[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(total, 10, &total) ||
            __builtin_add_overflow(total, digit, &total))
            return -1;
    }
    *value = total;
    return 0;
}
