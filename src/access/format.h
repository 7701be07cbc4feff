/*
 * A format of the access log, compiled once, that makes one line of each exchange.
 *
 * A format is "common", "combined", "json", or a string of atoms ("%(h)s %(r)s %({user-agent}i)s
 * ..."). The atoms are gunicorn's and some more (access/fields.h). A line ends with its newline.
 * Text that a client sent is escaped to printable ASCII, so a client can neither break nor forge a
 * line. "json" is an object without the fields that are unknown.
 *
 * The format is made before the fork. Each worker has its copy, for the thread that runs the loop.
 */
#ifndef ACCESS_FORMAT_H
#define ACCESS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Bytes of a line, and of one escaped value of a client. The named formats never reach the limit of
 * a line. */
enum { ACCESS_LINE_SIZE = 128 * 1024, ACCESS_CLIENT_SIZE = 16 * 1024 };

struct access_format;
struct exchange;

/* NULL when `format` is wrong: `message` then holds one sentence. */
struct access_format *access_format_new(const char *format, char *message, size_t message_size);
/* In a worker: notes its number and its process. Before that, lines name the process that made the
 * format, and no worker. */
void access_format_identify(struct access_format *format, unsigned worker);
/* The line is valid until the next call. */
struct slice access_format_line(struct access_format *format, const struct exchange *exchange,
                                uint64_t duration_ns);
void access_format_free(struct access_format *format); /* NULL is fine */

#endif
