/*
 * Request heads of one connection, with the help of the memo: most clients repeat their header section, and then neither the
 * head's end is searched for nor the section parsed.
 */
#ifndef HTTP_HEAD_READER_H
#define HTTP_HEAD_READER_H

#include "http/memo.h"
#include "http/parser.h"

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
