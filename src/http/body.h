/*
 * A request body on its way in: framing (RFC 9112 6 and 7), limits, and where the bytes are kept until it is whole.
 *
 * In memory up to memory_limit, then in a spool. Chunked bodies are decoded; extensions are checked and dropped, trailers
 * are parsed strictly and dropped (they never become header fields). A body cut short is never presented as whole.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/header_section.h"

struct spool_budget;

struct body_limits {
    uint64_t size; /* decoded bytes; beyond: 413 */
    size_t memory; /* beyond: a spool */
    size_t
        line; /* a chunk's size line, a trailer line: bytes; beyond: 400 for chunk lines, 431 for trailers */
    size_t trailer;                    /* bytes of the whole trailer section; beyond: 431 */
    const char *tmp_dir;               /* for the spool; must outlive the body */
    const struct spool_budget *budget; /* likewise; NULL: none */
};

/* Where the bytes are. Whoever takes it (body_take) owns memory and spool. */
struct body_content {
    uint64_t size;
    char *memory;                      /* malloc'ed; NULL when size is 0 or the bytes are in the spool */
    int spool;                         /* descriptor of an unlinked file, or -1 */
    uint64_t reserved;                 /* for the spool */
    const struct spool_budget *budget; /* of `reserved`; it outlives the content. NULL: none */
};

struct body {
    const struct body_limits *limits;
    struct body_content content;
    enum framing framing;
    int state;          /* of the chunked decoder; private to body.c */
    bool complete;      /* all of it is here */
    int error;          /* errno of a failed spool, after status 503 */
    uint64_t remaining; /* bytes of the content, or of the chunk under way, still to come */
    size_t held;        /* bytes in content.memory: all there are, or those not yet in the spool */
    size_t capacity;    /* of content.memory */
    size_t line_size;   /* bytes of the chunk or trailer line under way, for the limits */
    size_t trailer_size;
    size_t extension_size; /* bytes of all chunk extensions */
};

/* Of a request whose body is not read, or not yet: as much as body_fini and a record of the request need. */
void body_none(struct body *body);

/* 0; or 413 when the declared length is over the limit: nothing need be read then. A body of no bytes is complete at once.
 * `limits` must outlive the body. */
int body_init(struct body *body, const struct header_section *section, const struct body_limits *limits);

/* A body that is complete: its content is moved in. */
void body_restore(struct body *body, const struct header_section *section, struct body_content content);

/* Consumes what belongs to the body from the front of `input`; stops at its end (body->complete), so that what is left is
 * the next request. 0, or the status: 400, 413, 431; 503 when the spool failed (body->error says why). */
int body_feed(struct body *body, struct slice *input);

/* Moves the content out: the caller owns it. The body must be complete. Of how many bytes it was, it goes on to tell. */
struct body_content body_take(struct body *body);
void body_content_free(struct body_content *content);
void body_fini(struct body *body); /* whatever was not taken */

#endif
