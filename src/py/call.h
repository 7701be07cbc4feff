/*
 * One call of the application (PEP 3333): from environ to close(), step by step.
 *
 *   call_start -> CALL_CHUNKS / CALL_FILE / CALL_END / CALL_FAILED
 *   call_next  -> the same, until CALL_END or CALL_FAILED
 *   call_finish   once, always: runs close(), lets go of everything
 *
 * With CALL_END, CALL_FAILED and the beginning of call_finish the answer has ended: what the application's code produces after that,
 * in close() or in a finaliser, is an exception in it.
 *
 * The head is in `response` before the first step that has output. Everything here needs the GIL; nothing here knows of
 * sockets. An exception is logged here, once, with its traceback; the caller only has to answer.
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
    CALL_FILE,   /* output->fd is to be sent; it is all there is */
    CALL_END,    /* the body is complete */
    CALL_FAILED, /* an exception, logged; or the application broke the protocol, logged */
};

enum { CALL_CHUNKS_MAX = 64 };

struct call_output {
    bool known;    /* these chunks (or this file) are the whole body */
    uint64_t size; /* sum of the chunks; bytes of the file from its position on */
    size_t count;
    struct slice chunks[CALL_CHUNKS_MAX]; /* borrowed until the next step */
    int fd;                               /* CALL_FILE: a regular file, borrowed until call_finish */
    off_t offset;
};

/* Once per process, before the first caller. 0, or -1 after a log record. GIL held. */
int call_init(const struct options *options, bool multiprocess);
/* After the last caller, and when the loop with its memo is gone: lets go of what calls have left. GIL held. */
void call_fini(void);

/* One per app thread: what its calls reuse (start_response and its kin, caches of what applications repeat). */
struct caller;
struct caller *caller_new(struct application *application);
void caller_free(struct caller *caller);

enum call_step call_start(struct caller *caller, const struct call_request *request,
                          struct call_output *output);
enum call_step call_next(struct caller *caller, struct call_output *output);
void call_finish(struct caller *caller);

#endif
