/*
 * A text that grows: what a log record, or an answer of ours, is put together in. On the stack until it is long (a traceback).
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* `initial`, or ours on the heap; not terminated */
    size_t size;
    size_t room;
    char initial[1024];
};

void text_init(struct text *text);
void text_fini(struct text *text);

void text_add(struct text *text, const char *data, size_t size);
void text_vprintf(struct text *text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Control characters, Unicode's too, and what is no UTF-8 as \xNN; with `lines`, newlines stay, and no line begins with a digit. */
void text_add_plain(struct text *text, const char *data, size_t size, bool lines);
/* The inside of a JSON string: valid UTF-8 whatever comes in; a byte that is none becomes the four characters \xNN. */
void text_add_json(struct text *text, const char *data, size_t size);

/* Escapes what could break or forge a log line: control characters, DEL, `"` and `\`, and with `ascii` also bytes from
 * 0x80, as \xNN (`\"` and `\\` for those two). Writes at most `room` bytes, never a partial escape; returns the bytes
 * written, which may be up to four times `size`. Not terminated. */
size_t text_escape(char *out, size_t room, const char *text, size_t size, bool ascii);

#endif
