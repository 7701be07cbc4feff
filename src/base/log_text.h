/*
 * A text that grows: what a log record is put together in. On the stack until it is long (a traceback).
 * Private to the log.
 */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct log_text {
    char *data; /* `initial`, or ours on the heap; not terminated */
    size_t size;
    size_t room;
    char initial[1024];
};

void log_text_init(struct log_text *text);
void log_text_fini(struct log_text *text);

void log_text_add(struct log_text *text, const char *data, size_t size);
void log_text_vprintf(struct log_text *text, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
void log_text_printf(struct log_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Control characters, Unicode's too, and what is no UTF-8 as \xNN; with `lines`, newlines stay, and no line begins with a digit. */
void log_text_add_plain(struct log_text *text, const char *data, size_t size, bool lines);
/* The inside of a JSON string: valid UTF-8 whatever comes in; a byte that is none becomes the four characters \xNN. */
void log_text_add_json(struct log_text *text, const char *data, size_t size);

#endif
