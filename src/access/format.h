/*
 * What stands in a line of the access log: a format, compiled once, that makes a line of each exchange.
 *
 * "common", "combined", "json", or a string of atoms ("%(h)s %(r)s %({user-agent}i)s ..."), which are gunicorn's and some
 * more: see access/fields. What a client sends is printable ASCII there, and can neither break nor forge a line, which ends
 * with its newline. In "json" it is an object, in which what is not known is left out.
 * For whoever runs the loop; made before the fork, used by each worker.
 */
#ifndef ACCESS_FORMAT_H
#define ACCESS_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* Bytes of a line, and of one value that a client sent, escaped. The named formats never reach the limit of a line. */
enum { ACCESS_LINE_SIZE = 128 * 1024, ACCESS_CLIENT_SIZE = 16 * 1024 };

struct access_format;
struct exchange;

/* NULL when it is none: then one sentence stands in `message`. */
struct access_format *access_format_new(const char *format, char *message, size_t message_size);
/* In a worker: which one it is, and which process. Until then there is no worker, and the process is the one that made the
 * format. */
void access_format_identify(struct access_format *format, unsigned worker);
/* The line lives until the next one. */
struct slice access_format_line(struct access_format *format, const struct exchange *exchange,
                                uint64_t duration_ns);
void access_format_free(struct access_format *format); /* NULL is fine */

#endif
