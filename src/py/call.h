/*
 * A call of the application (PEP 3333): from environ to close(), step by step.
 *
 *   call_start -> CALL_CHUNKS / CALL_FILE / CALL_END / CALL_FAILED
 *   call_next  -> the same, until CALL_END or CALL_FAILED
 *   call_finish   always, once: runs close() and releases all objects
 *
 * The response ends with CALL_END, with CALL_FAILED, or when call_finish begins. Output that the
 * application produces later, in close() or in a finaliser, raises an exception there.
 *
 * The head is in `response` before the first step with output. All functions need the GIL; none
 * knows sockets. This module logs each exception once, with its traceback; the caller only has to
 * send a response.
 */
#ifndef PY_CALL_H
#define PY_CALL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"
#include "options/options.h"
#include "py/application.h"
#include "py/call_request.h"

enum call_step {
    CALL_CHUNKS, /* output->chunks are to be sent now */
    CALL_FILE,   /* output->fd is to be sent, as the whole body */
    CALL_END,    /* the body is complete */
    CALL_FAILED, /* an exception, logged; or the application broke the protocol, logged */
};

enum { CALL_CHUNKS_MAX = 64 };

struct call_output {
    bool known;    /* these chunks (or this file) are the whole body */
    uint64_t size; /* sum of the chunks; or bytes of the file from `offset` on */
    size_t count;
    struct slice chunks[CALL_CHUNKS_MAX]; /* borrowed until the next step */
    int fd;                               /* CALL_FILE: a regular file, borrowed until call_finish */
    off_t offset;
};

/* Call once per process, before the first caller. 0, or -1 after a log record. GIL held. */
int call_init(const struct options *options, bool multiprocess);
/* Releases the remains of calls. Call after the last caller, and after the end of the loop with its
 * memo. GIL held. */
void call_fini(void);

/* The state of an application thread that its calls reuse: start_response and the like, caches of
 * repeated objects. */
struct caller;
struct caller *caller_new(struct application *application);
void caller_free(struct caller *caller);

enum call_step call_start(struct caller *caller, const struct call_request *request,
                          struct call_output *output);
enum call_step call_next(struct caller *caller, struct call_output *output);
void call_finish(struct caller *caller);

#endif
