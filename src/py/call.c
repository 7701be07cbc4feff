/* A call of the application, step by step. */
#include "py/call.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/mem.h"
#include "py/application_object.h"
#include "py/environ.h"
#include "py/errors_stream.h"
#include "py/exception.h"
#include "py/file_wrapper.h"
#include "py/header_cache.h"
#include "py/interrupt.h"
#include "py/start_response.h"

struct caller {
    PyObject *application; /* strong */
    PyObject *close_name;  /* "close" */
    struct responder_trio trio;
    /* For the present call: */
    const struct call_request *request;
    PyObject *result;   /* the application's return value */
    PyObject *iterator; /* over result; NULL before the first step of an iterable that is not a list */
    PyObject *chunk;    /* output->chunks points into it */
    PyObject *ahead;    /* the following chunk, if it was already taken; or NULL */
    uint64_t wanted;    /* bytes to send of a file-like object, which may be longer */
};

int call_init(const struct options *options, bool multiprocess)
{
    if (environ_init(options, multiprocess) == 0 && responder_init() == 0)
        return 0;
    exception_log("Python cannot be prepared for calls");
    return -1;
}

void call_fini(void)
{
    environ_free_discarded();
    header_cache_clear();
    errors_flush();
}

struct caller *caller_new(struct application *application)
{
    struct caller *caller = xcalloc(1, sizeof(*caller));
    caller->application = application->callable;
    caller->close_name = PyUnicode_InternFromString("close");
    Py_INCREF(caller->application);
    return caller;
}

void caller_free(struct caller *caller)
{
    if (caller == NULL)
        return;
    responder_free(&caller->trio);
    Py_XDECREF(caller->application);
    Py_XDECREF(caller->close_name);
    free(caller);
}

/* Logs the application's exception, except a write() to a client that is gone. */
static enum call_step failed(struct caller *caller)
{
    char name[REQUEST_NAME_SIZE];
    responder_end_answer(&caller->trio); /* logging the exception runs the application's code */
    if (interrupt_is_under_way())        /* already logged, with the stack at that time */
        PyErr_Clear();
    else if (caller->trio.responder->client_gone && PyErr_ExceptionMatches(PyExc_BrokenPipeError))
        PyErr_Clear();
    else
        exception_log("exception in the application at %s", request_name(caller->request->request, name));
    return CALL_FAILED;
}

static enum call_step broke_protocol(struct caller *caller, const char *what, PyObject *b_object)
{
    PyErr_Format(PyExc_TypeError, "%s, not %.100s", what, Py_TYPE(b_object)->tp_name);
    return failed(caller);
}

static bool has_started(struct caller *caller)
{
    if (caller->trio.responder->started)
        return true;
    PyErr_SetString(PyExc_AssertionError,
                    "the application produced output before it called start_response()");
    return false;
}

static enum call_step ended(struct caller *caller, struct call_output *output)
{
    output->count = 0;
    output->size = 0;
    if (!caller->trio.responder->started) {
        PyErr_SetString(PyExc_AssertionError, "the application never called start_response()");
        return failed(caller);
    }
    output->known = !caller->trio.responder->head_left;
    return CALL_END;
}

/* Sends a list or tuple of few bytes objects as the whole body. CALL_CHUNKS with output->known, or
 * CALL_FAILED. */
static enum call_step take_all(struct caller *caller, struct call_output *output)
{
    Py_ssize_t count = PySequence_Fast_GET_SIZE(caller->result);
    output->count = 0;
    output->size = 0;
    for (Py_ssize_t i = 0; i < count; i++) {
        PyObject *b_item = PySequence_Fast_GET_ITEM(caller->result, i);
        if (!PyBytes_Check(b_item))
            return broke_protocol(caller, "the application's iterable must produce bytes", b_item);
        size_t size = (size_t)PyBytes_GET_SIZE(b_item);
        if (size == 0)
            continue;
        output->chunks[output->count++] = (struct slice){PyBytes_AS_STRING(b_item), size};
        output->size += size;
    }
    if (output->count == 0)
        return ended(caller, output);
    if (!has_started(caller))
        return failed(caller);
    output->known = !caller->trio.responder->head_left;
    caller->trio.responder->head_left = true;
    return CALL_CHUNKS;
}

static bool is_short_sequence(PyObject *result)
{
    return (PyList_CheckExact(result) || PyTuple_CheckExact(result)) &&
           PySequence_Fast_GET_SIZE(result) <= CALL_CHUNKS_MAX;
}

/* The first chunk of an iterable of length 1 is the whole body, if its length is right (PEP 3333,
 * "Handling the Content-Length Header"). The length of an iterator may be the number of remaining
 * items. Most generators have no length: the check makes no exception for them. */
static bool is_single(PyObject *result)
{
    const PyTypeObject *type = Py_TYPE(result);
    if ((type->tp_as_sequence == NULL || type->tp_as_sequence->sq_length == NULL) &&
        (type->tp_as_mapping == NULL || type->tp_as_mapping->mp_length == NULL))
        return false;
    Py_ssize_t size = PyObject_Size(result);
    if (size < 0)
        PyErr_Clear();
    return size == 1;
}

/* A file may be longer than the Content-Length, like other file-like objects (PEP 3333, "Optional
 * Platform-Specific File Handling"). */
static enum call_step take_file(struct caller *caller, struct call_output *output)
{
    const struct response *response = caller->request->response;
    if (!caller->trio.responder->started)
        return ended(caller, output);
    if (response->has_length && response->length < output->size)
        output->size = response->length;
    output->known = !caller->trio.responder->head_left;
    caller->trio.responder->head_left = true;
    return CALL_FILE;
}

static enum call_step first_step(struct caller *caller, struct call_output *output)
{
    if (is_short_sequence(caller->result))
        return take_all(caller, output);
    if (file_wrapper_check(caller->result) && !caller->trio.responder->head_left &&
        file_wrapper_is_file(caller->result, &output->fd, &output->offset, &output->size) &&
        !caller->trio.responder->head_left) /* attributes of the file may be the application's code */
        return take_file(caller, output);
    const struct response *response = caller->request->response;
    caller->wanted =
        file_wrapper_check(caller->result) && response->has_length ? response->length : UINT64_MAX;
    if (PyBytes_Check(caller->result)) {
        PyErr_SetString(PyExc_TypeError, "the application returned bytes: return a list of them, [b'...']");
        return failed(caller);
    }
    if (PyUnicode_Check(caller->result) || caller->result == Py_None)
        return broke_protocol(caller, "the application must return an iterable of bytes", caller->result);
    caller->iterator = PyObject_GetIter(caller->result);
    if (caller->iterator == NULL)
        return failed(caller);
    return call_next(caller, output);
}

enum call_step call_start(struct caller *caller, const struct call_request *request,
                          struct call_output *output)
{
    caller->request = request;
    if (responder_begin(&caller->trio, request) < 0) {
        exception_log("start_response cannot be made");
        return CALL_FAILED;
    }
    PyObject *dict = environ_new(request, caller->trio.client_disconnected);
    if (dict == NULL)
        return failed(caller);
    PyObject *arguments[] = {NULL, dict, caller->trio.start_response};
    caller->result =
        PyObject_Vectorcall(caller->application, arguments + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, NULL);
    enum call_step step = caller->result == NULL ? failed(caller) : CALL_CHUNKS;
    Py_DECREF(dict); /* may run finalisers of the application */
    return step == CALL_FAILED ? step : first_step(caller, output);
}

/* Stores the next chunk that is not empty in *chunk. 1; 0 at the end; -1 with an exception. */
static int next_chunk(struct caller *caller, PyObject **chunk)
{
    for (;;) {
        Py_XSETREF(*chunk, PyIter_Next(caller->iterator));
        if (*chunk == NULL)
            return PyErr_Occurred() != NULL ? -1 : 0;
        if (!PyBytes_Check(*chunk)) {
            PyErr_Format(PyExc_TypeError, "the application's iterable must produce bytes, not %.100s",
                         Py_TYPE(*chunk)->tp_name);
            return -1;
        }
        if (PyBytes_GET_SIZE(*chunk) > 0)
            return 1;
    }
}

static int take_chunk(struct caller *caller)
{
    if (caller->ahead == NULL)
        return next_chunk(caller, &caller->chunk);
    Py_XSETREF(caller->chunk, caller->ahead);
    caller->ahead = NULL;
    return 1;
}

/* Tells whether the chunk is the last one, and holds it back meanwhile: a wrong length must not cut
 * the body. Returns as take_chunk. */
static int look_ahead(struct caller *caller)
{
    struct responder *responder = caller->trio.responder;
    responder->holding = true;
    int r = next_chunk(caller, &caller->ahead);
    responder->holding = false;
    if (r == 0)
        Py_CLEAR(caller->iterator);
    return r;
}

enum call_step call_next(struct caller *caller, struct call_output *output)
{
    struct responder *responder = caller->trio.responder;
    if (caller->iterator == NULL || caller->wanted == 0)
        return ended(caller, output);
    int r = take_chunk(caller);
    if (r == 0)
        return ended(caller, output);
    bool may_be_known = r > 0 && !responder->head_left && !caller->request->response->has_length;
    if (may_be_known && is_single(caller->result) && !responder->head_left)
        r = look_ahead(caller);
    if (r < 0 || !has_started(caller))
        return failed(caller);
    output->known = r == 0;
    responder->head_left = true;
    output->count = 1;
    output->size = (uint64_t)PyBytes_GET_SIZE(caller->chunk);
    if (output->size > caller->wanted)
        output->size = caller->wanted;
    caller->wanted -= output->size;
    output->chunks[0] = (struct slice){PyBytes_AS_STRING(caller->chunk), (size_t)output->size};
    return CALL_CHUNKS;
}

/* Calls close() of the iterable, if it has one. An exception in it is only logged. */
static void close_result(struct caller *caller)
{
    char name[REQUEST_NAME_SIZE];
    PyObject *close, *value = NULL;
    if (caller->result == NULL || PyList_CheckExact(caller->result) || PyTuple_CheckExact(caller->result))
        return;
    int found = object_lookup(caller->result, caller->close_name, &close);
    if (found > 0) {
        value = PyObject_CallNoArgs(close);
        Py_DECREF(close);
    }
    if (found < 0 || (found > 0 && value == NULL))
        exception_log("exception in close() of the application's iterable at %s",
                      request_name(caller->request->request, name));
    Py_XDECREF(value);
}

void call_finish(struct caller *caller)
{
    responder_end_answer(&caller->trio);
    Py_CLEAR(caller->chunk);
    Py_CLEAR(caller->ahead);
    Py_CLEAR(caller->iterator);
    close_result(caller);
    errors_flush();
    Py_CLEAR(caller->result);
    responder_end(&caller->trio);
}
