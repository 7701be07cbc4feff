/*
 * A server without sockets: runs bytes through the HTTP layer as a connection would, and notes what
 * it answers to each request, assuming an application that answers 200 to everything. For the wire
 * tests and the fuzzers.
 */
#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "http/body.h"
#include "http/head.h"
#include "http/memo.h"

enum { SESSION_ANSWERS = 32 };

struct session_answer {
    int status; /* 200, or what the request was refused with */
    bool keep_alive;
    size_t end; /* offset of the first byte after the request; of a refused one 0 */
    /* Only with 200: */
    struct slice method, target; /* into the input */
    int minor;
    enum framing framing;
    struct body_content body; /* belongs to the session */
};

struct session {
    struct session_answer answers[SESSION_ANSWERS];
    size_t count;
    bool closed;     /* after an answer that ends the connection */
    bool incomplete; /* the input ends within a request */
};

extern const struct parser_limits session_parser_limits; /* the defaults of the options */
extern const struct body_limits session_body_limits;

/* Feeds `step` bytes at a time; 0: all at once. `memo` may be NULL. Stops after SESSION_ANSWERS
 * requests. */
void session_run(struct session *session, struct slice input, size_t step, struct memo *memo);
void session_free(struct session *session);                        /* the bodies */
bool session_eq(const struct session *a, const struct session *b); /* bodies included */

#endif
