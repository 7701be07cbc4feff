/*
 * The HTTP/1 request parser (RFC 9112): find the end of the head, then pure functions over it.
 *
 * Strict: what is ambiguous is refused, never repaired. All functions return 0, or the HTTP status to answer with;
 * after any status but 0 the connection must be closed.
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
    size_t fields;       /* count; beyond: 431 */
    size_t field_size;   /* bytes of one field line without the CRLF; beyond: 431 */
    size_t head;         /* bytes of the whole head; beyond: 431 */
};

/* `line` without its CRLF. 400; 501 for CONNECT; 505 for an HTTP version that is not 1.x. Fills all but section. */
int request_line_parse(struct request *request, struct slice line);

/*
 * `bytes`: from the first field line through the empty line. On 0 *section is a new reference. 400; 417 for an
 * expectation that is not 100-continue; 431; 501 for a transfer coding that is not exactly chunked.
 */
int header_section_parse(struct slice bytes, const struct parser_limits *limits,
                         struct header_section **section);

/* `lines`: whole field lines of a header section that goes on. 0, or 400 for a malformed one. Only header_section_parse
 * tells what the fields mean together. */
int field_lines_check(struct slice lines);

/* What only both parts together can tell: Host missing in HTTP/1.1, Transfer-Encoding in HTTP/1.0. 0 or 400. */
int request_check(const struct request *request);

#endif
