/*
 * The checks that every line of the access log must pass, with any input of a client. For the unit
 * test and the fuzzer.
 */
#ifndef ACCESS_LINES_H
#define ACCESS_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/slice.h"
#include "http/token.h"

/* Printable ASCII, and a newline at the end alone. */
static inline bool line_is_one(struct slice line)
{
    for (size_t i = 0; i + 1 < line.size; i++)
        if (line.data[i] < ' ' || line.data[i] > '~')
            return false;
    return line.size > 0 && line.data[line.size - 1] == '\n';
}

/* Takes an escape, behind its backslash: the byte that it stands for, or -1 when it is none. */
static inline int line_escape(const char **at, const char *end, bool json)
{
    const char *digits = *at + (json ? 3 : 1);
    if (*at < end && (**at == '"' || **at == '\\'))
        return *(*at)++;
    if (end - *at < (json ? 5 : 3) || memcmp(*at, json ? "u00" : "x", json ? 3 : 1) != 0)
        return -1;
    *at = digits + 2;
    int high = hex_value((unsigned char)digits[0]), low = hex_value((unsigned char)digits[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* Decodes text up to a quote that is not escaped, or to the end. Returns its size, at most `room`,
 * or -1. *at is behind the text. */
static inline long line_unescape(const char **at, const char *end, bool json, char *out, size_t room)
{
    size_t size = 0;
    while (*at < end && **at != '"') {
        int byte = *(*at)++;
        if (byte == '\\' && (byte = line_escape(at, end, json)) < 0)
            return -1;
        if (size == room)
            return -1;
        out[size++] = (char)byte;
    }
    return (long)size;
}

static inline bool line_take(const char **at, const char *end, char c)
{
    if (*at == end || **at != c)
        return false;
    ++*at;
    return true;
}

static inline bool line_take_string(const char **at, const char *end, char *out, size_t room, long *size)
{
    return line_take(at, end, '"') && (*size = line_unescape(at, end, true, out, room)) >= 0 &&
           line_take(at, end, '"');
}

/* 12 or 0.123456 */
static inline bool line_take_number(const char **at, const char *end)
{
    const char *begin = *at;
    while (*at < end && ((**at >= '0' && **at <= '9') || (**at == '.' && *at > begin && begin[0] != '.')))
        ++*at;
    return *at > begin && (*at)[-1] != '.' && (*begin != '0' || *at == begin + 1 || begin[1] == '.') &&
           memchr(begin, '.', (size_t)(*at - begin)) == memrchr(begin, '.', (size_t)(*at - begin));
}

/* An object of strings, arrays of one string, and numbers. With `name`, finds the string of that
 * name, alone or in an array. Its size is in *found, or -1 without one. `out` has room for twice
 * the line. */
static inline bool line_is_json(struct slice line, const char *name, char *out, long *found)
{
    const char *at = line.data, *end = at + line.size - 1;
    char key[64];
    *found = -1;
    if (!line_take(&at, end, '{'))
        return false;
    for (bool first = true; first || line_take(&at, end, ','); first = false) {
        long size, value;
        if (!line_take_string(&at, end, key, sizeof(key), &size) || !line_take(&at, end, ':'))
            return false;
        bool array = line_take(&at, end, '[');
        bool text = at < end && *at == '"';
        bool wanted = name != NULL && (size_t)size == strlen(name) && memcmp(key, name, (size_t)size) == 0;
        char *place = wanted || name == NULL ? out : out + line.size; /* what was found must stay */
        if (text ? !line_take_string(&at, end, place, line.size, &value) : !line_take_number(&at, end))
            return false;
        if (wanted && text)
            *found = value;
        if (array && (!text || !line_take(&at, end, ']')))
            return false;
    }
    return line_take(&at, end, '}') && at == end;
}

#endif
