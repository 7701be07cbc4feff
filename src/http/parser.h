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

/* Where the search for the head's end stands; zero it before a request's first byte. Each byte is looked at once,
 * however the head arrives. */
struct head_finder {
    size_t scanned;   /* bytes already searched */
    size_t line;      /* where the line under way begins */
    size_t line_size; /* of the request line, without CRLF; 0 until it is whole */
    size_t checked;   /* bytes of whole lines that head_check_lines has looked at */
};

/*
 * `bytes` is all that has arrived since the request's first byte (leading empty lines already skipped, see
 * head_skip_empty_lines). Sets *head_size to the size of the head including the empty line, or to 0 when more is needed.
 * 400 for a line not ended by CRLF or for white space at the start of a field line; 414, 431 as soon as a limit is
 * passed, whether or not the line is whole.
 */
int head_find_end(struct head_finder *finder, struct slice bytes, const struct parser_limits *limits,
                  size_t *head_size);

/* When head_find_end needs more of the head, or fails: looks at the lines that have become whole since the last time, once each.
 * A client that sends a malformed line is answered at once, not after a time-out. A malformed line goes before a limit that a
 * later line passes, so that the status does not depend on the pieces that the head arrives in. 0, or the status of
 * request_line_parse or of field_lines_check. */
int head_check_lines(struct head_finder *finder, struct slice bytes);

/* A server should ignore an empty line before a request line (RFC 9112 2.2), but not for ever. */
enum { EMPTY_LINES_MAX = 8 };
/* Takes empty lines off the front; *count is how many there were since the last request. 0, or 400 for too many. */
int head_skip_empty_lines(struct slice *bytes, unsigned *count);

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

/* Percent-decodes a path that request_line_parse accepted. `out` has room for path.size bytes; returns the bytes written.
 * "%2F" becomes "/", as WSGI demands; the raw form stays in request->target. */
size_t path_decode(char *out, struct slice path);

#endif
