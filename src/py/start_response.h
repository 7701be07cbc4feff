/*
 * start_response and the write() callable that it returns (PEP 3333, "The start_response()
 * Callable"), and client_disconnected(), which environ has as gateway.client_disconnected. GIL
 * held.
 *
 * All three are built-in functions over one responder. Each application thread makes them once and
 * reuses them for each call. An application may keep one of them beyond its call, for example with
 * its environ: that keeps the responder, too. Then the thread makes new ones; of the old ones, two
 * raise RuntimeError, and client_disconnected() returns True. The templates of environ hold
 * client_disconnected between calls, too. They are counted, so that they do not look like such an
 * application.
 */
#ifndef PY_START_RESPONSE_H
#define PY_START_RESPONSE_H

#include <pthread.h>
#include <stdbool.h>

#include "http/response.h"
#include "py/call_request.h"
#include "py/compat.h"

struct responder {
    PyObject_HEAD const struct call_request *call; /* the present call, or NULL */
    PyObject *b_write;                             /* of the trio, which lives as long as the call */
    pthread_t thread;                              /* of the call */
    bool started;                                  /* start_response has succeeded */
    bool head_left;                                /* output was produced: the head cannot change */
    bool ended;           /* the response is complete or has failed: no further output */
    bool holding;         /* a chunk of the iterable is held back: write() would overtake it */
    bool client_gone;     /* write() found the client gone */
    Py_ssize_t templates; /* number of templates that hold client_disconnected */
};

struct responder_trio {
    struct responder *responder;
    PyObject *start_response, *write, *client_disconnected;
};

int responder_init(void); /* makes the type; 0, or -1 with an exception */

/* Prepares a call: reuses the trio when nothing else holds a part of it, else makes another. 0, or
 * -1 with an exception. */
int responder_begin(struct responder_trio *trio, const struct call_request *call);
/* Ends the response before the call: close(), finalisers and the log of an exception still run the
 * application's code. Afterwards write() raises, and start_response() changes nothing. */
void responder_end_answer(struct responder_trio *trio);
void responder_end(struct responder_trio *trio); /* afterwards the functions have no effect */
void responder_free(struct responder_trio *trio);

/* Counts a template that holds this client_disconnected (1), or is about to release it (-1). */
void client_disconnected_held(PyObject *client_disconnected, int templates);

#endif
