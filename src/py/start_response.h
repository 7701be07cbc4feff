/*
 * start_response and the write() callable that it returns (PEP 3333, "The start_response() Callable"); and client_disconnected(),
 * which environ has as gateway.client_disconnected.
 *
 * All three are built-in functions over one responder, made once per app thread and used again for each call. An application that
 * keeps one of them beyond its call (one that keeps its environ does) keeps the responder too: then the thread makes itself new
 * ones, and of the kept ones two raise RuntimeError, and the third says that nobody is there. The templates that environ is copied
 * from hold client_disconnected between calls as well, and tell, as that is no use of it.
 */
#ifndef PY_START_RESPONSE_H
#define PY_START_RESPONSE_H

#include <pthread.h>
#include <stdbool.h>

#include "http/response.h"
#include "py/call_request.h"
#include "py/compat.h"

struct responder {
    PyObject_HEAD const struct call_request *call; /* the call under way, or NULL */
    PyObject *b_write;                             /* the trio's, which lives as long as the call */
    pthread_t thread;                              /* of the call */
    bool started;                                  /* start_response has succeeded */
    bool head_left;       /* output was produced: the head cannot be changed any more */
    bool ended;           /* the answer is whole, or has failed: the application produces no more of it */
    bool holding;         /* a chunk of the iterable is held back: write() would overtake it */
    bool client_gone;     /* write() found nobody to write to */
    Py_ssize_t templates; /* that hold client_disconnected */
};

struct responder_trio {
    struct responder *responder;
    PyObject *start_response, *write, *client_disconnected;
};

int responder_init(void); /* makes the type; 0, or -1 with an exception */

/* For a new call: the trio is used again when nobody else holds any part of it, else made anew. 0, or -1 with an exception. */
int responder_begin(struct responder_trio *trio, const struct call_request *call);
/* The answer ends before the call does: close(), finalisers and the log of an exception still run the application's code. From
 * here on write() raises, and start_response() changes nothing. */
void responder_end_answer(struct responder_trio *trio);
void responder_end(struct responder_trio *trio); /* what is kept of it does nothing from here on */
void responder_free(struct responder_trio *trio);

/* A template holds this client_disconnected (1), or is about to let go of it (-1). */
void client_disconnected_held(PyObject *client_disconnected, int templates);

#endif
