/*
 * Request heads of one connection: where each of them ends, and what it holds.
 *
 * Most clients repeat their header section. With the help of the memo the reader then neither searches for the head's end
 * nor parses the section. Belongs to the thread that runs the event loop.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stddef.h>

#include "http/memo.h"
#include "http/parser.h"

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

struct head_reader {
    unsigned memo_slot; /* where this client's section was last time; memo_recent() for a new client */
    struct head_finder finder;
    unsigned empty_lines; /* since the last head */
};

struct head {
    size_t size;       /* 0: more is needed */
    struct slice line; /* the request line without its CRLF, unparsed; empty while it is not whole */
    struct header_section *section; /* a reference for the caller; NULL unless all of the head is good */
};

/* Before a request: takes the empty lines off the front of what has arrived. 0, or 400 for too many of them. */
int head_reader_skip(struct head_reader *reader, struct slice *bytes);

/* Before the first byte of each request. */
void head_reader_begin(struct head_reader *reader);

/* `bytes` is all that has arrived since head_reader_begin, at least one byte. 0, or the status to answer with; *head is set in
 * any case. */
int head_read(struct head_reader *reader, struct memo *memo, const struct parser_limits *limits,
              struct slice bytes, struct head *head);

#endif
