/*
 * The parser of HTTP/1 requests (RFC 9112): pure functions over a request line and a header section
 * whose end is known (http/head.h).
 *
 * The parser is strict: it refuses ambiguous text and never repairs it. All functions return 0, or
 * the HTTP status to answer with. After a status other than 0 the connection must be closed.
 */
#ifndef HTTP_PARSER_H
#define HTTP_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/request.h"

struct parser_limits {
    size_t request_line; /* bytes without the CRLF; beyond: 414 */
    size_t fields;       /* number of fields; beyond: 431 */
    size_t field_size;   /* bytes of one field line without the CRLF; beyond: 431 */
    size_t head;         /* bytes of the whole head; beyond: 431 */
};

/* `line` is without its CRLF. 400; 501 for CONNECT; 505 for an HTTP version that is not 1.x. Fills
 * all fields but `section`. */
int request_line_parse(struct request *request, struct slice line);

/*
 * `bytes` begins with the first field line and ends with the empty line. On 0 *section is a
 * reference for the caller. 400. 417 for an expectation other than 100-continue. 431. 501 for a
 * transfer coding other than chunked alone.
 */
int header_section_parse(struct slice bytes, const struct parser_limits *limits,
                         struct header_section **section);

/* Checks whole field lines of a header section that goes on. 0, or 400 for a malformed line. Only
 * header_section_parse knows what the fields mean together. */
int field_lines_check(struct slice lines);

/* Checks line and section together: Host missing in HTTP/1.1, Transfer-Encoding in HTTP/1.0. 0 or
 * 400. */
int request_check(const struct request *request);

#endif
