/*
 * A line of the access log while it is written: bounded, and never more than a line. What a client sent is escaped, so that
 * the line is printable ASCII whatever that was.
 */
#ifndef ACCESS_ACCESS_LINE_H
#define ACCESS_ACCESS_LINE_H

#include <stdint.h>

#include "base/slice.h"

/* A line; and what stands of one thing that a client sent, escaped. A line of the named formats, which have few of those, is never
 * cut. */
enum { ACCESS_LINE_SIZE = 128 * 1024, ACCESS_CLIENT_SIZE = 16 * 1024 };

struct access_line {
    size_t size;
    char text[ACCESS_LINE_SIZE];
};

enum access_escape {
    ESCAPE_TEXT, /* \" and \\, \xNN for what is not printable ASCII */
    ESCAPE_WORD, /* and for spaces: outside of quotes they would move what follows into other columns */
    ESCAPE_JSON, /* \u00NN, which JSON has for it: each byte as the latin-1 that it is in environ too */
    ACCESS_ESCAPES
};

void access_line_begin(struct access_line *line);
/* Ours: nothing is escaped. What there is no room for is dropped, here and below. */
void access_line_add(struct access_line *line, struct slice text);
void access_line_add_number(struct access_line *line, uint64_t number);
void access_line_add_seconds(struct access_line *line, uint64_t ns); /* 0.123456 */
void access_line_add_client(struct access_line *line, struct slice text, enum access_escape escape);
void access_line_end(struct access_line *line); /* by its newline, for which there is always room */

#endif
