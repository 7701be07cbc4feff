/*
 * Growing text, and escapes that keep it one line, valid and harmless on a terminal.
 */
#include "base/text.h"

#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char hex[] = "0123456789abcdef";

void text_init(struct text *text)
{
    text->data = text->initial;
    text->size = 0;
    text->room = sizeof(text->initial);
}

void text_fini(struct text *text)
{
    if (text->data != text->initial)
        free(text->data);
}

static void reserve(struct text *text, size_t more)
{
    if (text->room - text->size >= more)
        return;
    text->room = (text->size + more) * 2;
    if (text->data == text->initial) {
        text->data = xmalloc(text->room);
        memcpy(text->data, text->initial, text->size);
    } else {
        text->data = xrealloc(text->data, text->room);
    }
}

void text_add(struct text *text, const char *data, size_t size)
{
    if (size == 0)
        return;
    reserve(text, size);
    memcpy(text->data + text->size, data, size);
    text->size += size;
}

void text_vprintf(struct text *text, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int needed = vsnprintf(text->data + text->size, text->room - text->size, format, args);
    if (needed >= 0 && (size_t)needed >= text->room - text->size) {
        reserve(text, (size_t)needed + 1);
        vsnprintf(text->data + text->size, text->room - text->size, format, again);
    }
    va_end(again);
    /* Negative: a wide character that the locale lacks. The record is written without this text. */
    text->size += needed > 0 ? (size_t)needed : 0;
}

void text_printf(struct text *text, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprintf(text, format, args);
    va_end(args);
}

static bool is_control(unsigned char c)
{
    return c < 0x20 || c == 0x7f;
}

static size_t put_hex(char out[4], unsigned char c)
{
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[c >> 4];
    out[3] = hex[c & 15];
    return 4;
}

/* The well-formed sequences, table 3-7 of the Unicode standard: the first byte limits the
 * second. */
static const struct {
    unsigned char first, last, size, second_min, second_max;
} sequences[] = {
    {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf}, {0xe1, 0xec, 3, 0x80, 0xbf},
    {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf}, {0xf0, 0xf0, 4, 0x90, 0xbf},
    {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

/* The size of the well-formed UTF-8 sequence of two or more bytes that starts here; 0 for none. */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        if (at[0] < sequences[i].first || at[0] > sequences[i].last)
            continue;
        size_t size = sequences[i].size;
        if (left < size || at[1] < sequences[i].second_min || at[1] > sequences[i].second_max)
            return 0;
        for (size_t k = 2; k < size; k++) {
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        }
        return size;
    }
    return 0;
}

/* U+0080 to U+009F, which terminals may obey, and U+2028 and U+2029, which readers may take for the
 * end of a line. */
static bool is_unicode_control(const unsigned char *at)
{
    return (at[0] == 0xc2 && at[1] < 0xa0) ||
           (at[0] == 0xe2 && at[1] == 0x80 && (at[2] == 0xa8 || at[2] == 0xa9));
}

/* The number of bytes from here that need no escape; 0 when this byte needs one. */
static size_t harmless_size(const unsigned char *at, size_t left, bool lines)
{
    if (at[0] < 0x80)
        return !is_control(at[0]) || (lines && at[0] == '\n');
    size_t size = utf8_size(at, left);
    return size > 0 && is_unicode_control(at) ? 0 : size;
}

void text_add_plain(struct text *text, const char *data, size_t size, bool lines)
{
    for (size_t i = 0; i < size;) {
        size_t harmless = harmless_size((const unsigned char *)data + i, size - i, lines);
        /* Records begin with a digit of the year. No other line may begin with a digit: it could
         * pass for a record. */
        if (lines && (i == 0 || data[i - 1] == '\n') && data[i] >= '0' && data[i] <= '9')
            text_add(text, " ", 1);
        if (harmless > 0) {
            text_add(text, data + i, harmless);
        } else {
            reserve(text, 4);
            text->size += put_hex(text->data + text->size, (unsigned char)data[i]);
        }
        i += harmless > 0 ? harmless : 1;
    }
}

static void add_json_ascii(struct text *text, unsigned char c)
{
    if (c == '\n')
        text_add(text, "\\n", 2);
    else if (c == '\t')
        text_add(text, "\\t", 2);
    else if (is_control(c))
        text_printf(text, "\\u%04x", c);
    else if (c == '"' || c == '\\')
        text_add(text, (const char[]){'\\', (char)c}, 2);
    else
        text_add(text, (const char *)&c, 1);
}

void text_add_json(struct text *text, const char *data, size_t size)
{
    const unsigned char *next = (const unsigned char *)data, *end = next + size;
    while (next < end) {
        size_t sequence = *next < 0x80 ? 1 : utf8_size(next, (size_t)(end - next));
        if (*next < 0x80)
            add_json_ascii(text, *next);
        else if (sequence > 0 && is_unicode_control(next))
            text_printf(text, "\\u%04x", sequence == 2 ? next[1] : 0x2000 + (next[2] & 0x3f));
        else if (sequence > 0)
            text_add(text, (const char *)next, sequence);
        else
            text_printf(text, "\\\\x%02x", *next);
        next += sequence > 0 ? sequence : 1;
    }
}

size_t text_escape(char *out, size_t room, const char *text, size_t size, bool ascii)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        char piece[4] = {(char)c};
        size_t length = 1;
        if (is_control(c) || (ascii && c >= 0x80)) {
            length = put_hex(piece, c);
        } else if (c == '"' || c == '\\') {
            piece[0] = '\\';
            piece[1] = (char)c;
            length = 2;
        }
        if (room - used < length)
            break;
        memcpy(out + used, piece, length);
        used += length;
    }
    return used;
}
