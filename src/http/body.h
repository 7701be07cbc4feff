/*
 * A request body on its way in: framing (RFC 9112 6 and 7), limits, and the place of its bytes
 * until it is whole.
 *
 * The bytes are in memory up to a limit, then in a spool. Chunked bodies are decoded. Extensions
 * are checked and dropped. Trailers are parsed strictly and dropped: they never become header
 * fields. A body that is cut short is never presented as whole.
 *
 * Belongs to the thread that runs the event loop, until the content is taken.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/header_section.h"

struct spool_budget;

struct body_limits {
    uint64_t size;       /* decoded bytes; beyond: 413 */
    size_t memory;       /* bytes; beyond: a spool */
    size_t line;         /* bytes of a size line or a trailer line; beyond: 400, or 431 for a trailer */
    size_t trailer;      /* bytes of the whole trailer section; beyond: 431 */
    const char *tmp_dir; /* for the spool; must outlive the body */
    const struct spool_budget *budget; /* must outlive the body and its content; NULL: no budget */
};

/* The place of the bytes. The caller of body_take owns memory and spool. */
struct body_content {
    uint64_t size;
    /* From malloc; NULL when size is 0, or the bytes are in the spool. */
    char *memory;
    int spool;                         /* descriptor of an unlinked file, or -1 */
    uint64_t reserved;                 /* bytes of the budget that the spool has */
    const struct spool_budget *budget; /* must outlive the content; NULL: no budget */
};

struct body {
    const struct body_limits *limits;
    struct body_content content;
    enum framing framing;
    int state;          /* of the chunked decoder; private to body.c */
    bool complete;      /* the whole body has arrived */
    int error;          /* errno of a failed spool, after status 503 */
    uint64_t remaining; /* bytes of the content, or of the chunk, that are still to come */
    /* Bytes in content.memory: the whole, or the part that is not yet in the spool. */
    size_t held;
    size_t capacity;  /* of content.memory */
    size_t line_size; /* bytes of the chunk line or trailer line so far, for the limits */
    size_t trailer_size;
    size_t extension_size; /* bytes of all chunk extensions */
};

/* For a request whose body is not read: fills the fields that body_fini and the record of a request
 * need. */
void body_none(struct body *body);

/* 0; or 413 when the declared length is over the limit, and the body need not be read. A body of no
 * bytes is complete at once. `limits` must outlive the body. */
int body_init(struct body *body, const struct header_section *section, const struct body_limits *limits);

/* Makes a complete body: its content is moved in. */
void body_restore(struct body *body, const struct header_section *section, struct body_content content);

/* Takes the bytes of the body from the front of `input`. It stops at the body's end
 * (body->complete): the rest is the next request. 0, or the status: 400, 413, 431. 503 when the
 * spool failed; body->error says why. */
int body_feed(struct body *body, struct slice *input);

/* Moves the content of a complete body to the caller, who owns it. The body still knows its
 * size. */
struct body_content body_take(struct body *body);
void body_content_free(struct body_content *content);
void body_fini(struct body *body); /* frees content that was not taken */

#endif
