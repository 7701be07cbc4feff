/*
 * A growing text, in which log records and answers are put together. It lives on the stack until it
 * is long (a traceback). The caller owns it; one thread at a time.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct text {
    char *data; /* `initial`, or allocated; not terminated */
    size_t size;
    size_t room;
    char initial[1024];
};

void text_init(struct text *text);
void text_fini(struct text *text);

void text_add(struct text *text, const char *data, size_t size);
void text_vprintf(struct text *text, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
void text_printf(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Escapes control characters (Unicode's too) and invalid UTF-8 as \xNN. With `lines` it keeps
 * newlines, and no line begins with a digit. */
void text_add_plain(struct text *text, const char *data, size_t size, bool lines);
/* Adds the inside of a JSON string. The result is valid UTF-8: an invalid byte becomes the four
 * characters \xNN. */
void text_add_json(struct text *text, const char *data, size_t size);

/* Escapes bytes that could break or forge a log line: control characters, DEL, `"` and `\`, and
 * with `ascii` also bytes from 0x80, as \xNN (`\"` and `\\` for those two). Writes at most `room`
 * bytes, never a partial escape. Returns the number of bytes written, up to four times `size`. Does
 * not terminate. */
size_t text_escape(char *out, size_t room, const char *text, size_t size, bool ascii);

#endif
