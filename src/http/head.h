/*
 * Request heads of one connection: where each of them ends, and what it holds.
 *
 * Most clients repeat their header section. With the help of the memo the reader then neither
 * searches for the head's end nor parses the section. Belongs to the thread that runs the event
 * loop.
 */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stddef.h>

#include "http/memo.h"
#include "http/parser.h"

/* The state of the search for the head's end. Zero it before a request's first byte. Each byte is
 * looked at once, however the head arrives. */
struct head_finder {
    size_t scanned;   /* bytes already searched */
    size_t line;      /* where the last line begins */
    size_t line_size; /* of the request line, without CRLF; 0 until the line is whole */
    size_t checked;   /* bytes of whole lines that head_check_lines has seen */
};

/*
 * `bytes` holds everything since the request's first byte; empty lines before it are skipped
 * (head_skip_empty_lines). Sets *head_size to the size of the head with its empty line, or to 0
 * when more is needed.
 *
 * Returns 0. 400 for a line without CRLF, or for white space at the start of a field line. 414 or
 * 431 as soon as a limit is passed, even within a line.
 */
int head_find_end(struct head_finder *finder, struct slice bytes, const struct parser_limits *limits,
                  size_t *head_size);

/*
 * Checks the lines that have become whole since the last call. For a head that is not whole, or
 * that head_find_end has refused.
 *
 * A client that sends a malformed line gets its answer at once, and not after a time-out. A
 * malformed line has precedence over a limit that a later line passes. So the status does not
 * depend on the pieces in which the head arrives.
 *
 * 0, or the status of request_line_parse or field_lines_check.
 */
int head_check_lines(struct head_finder *finder, struct slice bytes);

/* A server should ignore an empty line before a request line (RFC 9112 2.2), but not without
 * end. */
enum { EMPTY_LINES_MAX = 8 };
/* Takes empty lines off the front. *count is their number since the last request. 0, or 400 for too
 * many. */
int head_skip_empty_lines(struct slice *bytes, unsigned *count);

struct head_reader {
    /* The slot of the client's last section; memo_recent() for a client that has sent none. */
    unsigned memo_slot;
    struct head_finder finder;
    unsigned empty_lines; /* since the last head */
};

struct head {
    size_t size;       /* 0: more is needed */
    struct slice line; /* the request line without its CRLF, unparsed; empty while it is not whole */
    struct header_section *section; /* a reference for the caller; NULL unless the whole head is good */
};

/* Before a request: takes the empty lines off the front of the bytes that have arrived. 0, or 400
 * for too many. */
int head_reader_skip(struct head_reader *reader, struct slice *bytes);

/* Call this before the first byte of each request. */
void head_reader_begin(struct head_reader *reader);

/* `bytes` holds everything since head_reader_begin, at least one byte. 0, or the status to answer
 * with. *head is set in both cases. */
int head_read(struct head_reader *reader, struct memo *memo, const struct parser_limits *limits,
              struct slice bytes, struct head *head);

#endif
