/* start_response, write() and client_disconnected(). */
#include "py/start_response.h"

#include <string.h>

#include "base/log.h"
#include "py/header_cache.h"
#include "py/latin1.h"

static PyTypeObject *responder_type;

static int check_running(const struct responder *responder, const char *name)
{
    if (responder->call == NULL) {
        PyErr_Format(PyExc_RuntimeError, "%s() was called after its request was over", name);
        return -1;
    }
    if (!pthread_equal(responder->thread, pthread_self())) {
        PyErr_Format(PyExc_RuntimeError, "%s() was called from another thread than the application", name);
        return -1;
    }
    return 0;
}

static int check_answer(const struct responder *responder, const char *name)
{
    if (!responder->ended)
        return 0;
    PyErr_Format(PyExc_RuntimeError, "%s() was called after the end of its answer", name);
    return -1;
}

/* exc_info after the head was sent: raises the original exception again (PEP 3333, "Error
 * Handling"). */
static void raise_again(PyObject *exc_info)
{
    PyObject *b_value = PyTuple_GET_ITEM(exc_info, 1);
    PyObject *b_traceback = PyTuple_GET_ITEM(exc_info, 2);
    if (!PyExceptionInstance_Check(b_value)) {
        PyObject *b_type = PyTuple_GET_ITEM(exc_info, 0);
        if (PyExceptionClass_Check(b_type))
            PyErr_SetObject(b_type, b_value);
        else
            PyErr_SetString(PyExc_TypeError, "exc_info holds no exception");
        return;
    }
    if (PyTraceBack_Check(b_traceback))
        PyException_SetTraceback(b_value, b_traceback);
    PyErr_SetObject((PyObject *)Py_TYPE(b_value), b_value);
}

/* Whether start_response may be called at this point. 0, or -1 with an exception. */
static int check_order(const struct responder *responder, PyObject *exc_info)
{
    if (exc_info != NULL && exc_info != Py_None) {
        if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
            PyErr_SetString(PyExc_TypeError, "exc_info must be a tuple as sys.exc_info() returns it");
            return -1;
        }
        bool late = responder->head_left || responder->ended;
        if (late)
            raise_again(exc_info);
        return late ? -1 : 0;
    }
    if (check_answer(responder, "start_response") < 0)
        return -1;
    if (responder->started) {
        PyErr_SetString(PyExc_AssertionError, "start_response() was called a second time without exc_info");
        return -1;
    }
    return 0;
}

static int start(struct response *response, PyObject *status)
{
    struct slice text;
    if (latin1_slice(status, "the status", &text) < 0)
        return -1;
    const char *reason = response_start(response, text);
    if (reason == NULL)
        return 0;
    PyErr_Format(PyExc_ValueError, "status %R: %s", status, reason);
    return -1;
}

static int add_headers(struct response *response, PyObject *headers)
{
    if (!PyList_Check(headers)) {
        PyErr_Format(PyExc_TypeError, "headers must be a list of (name, value) tuples, not %.100s",
                     Py_TYPE(headers)->tp_name);
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); i++)
        if (header_cache_add(response, PyList_GET_ITEM(headers, i)) < 0)
            return -1;
    return 0;
}

/* Logged once per worker: such an application sets the field in every response. */
static void tell_connection(const struct request *request)
{
    static bool told; /* guarded by the GIL */
    char name[REQUEST_NAME_SIZE];
    if (told)
        return;
    told = true;
    log_warning(
        "%s: the application set Connection or Keep-Alive, which belong to the server: they are removed, "
        "and \"close\" is obeyed (logged once per worker)",
        request_name(request, name));
}

static PyObject *respond(struct responder *responder, PyObject *status, PyObject *headers, PyObject *exc_info)
{
    if (check_running(responder, "start_response") < 0 || check_order(responder, exc_info) < 0)
        return NULL;
    responder->started = false;
    if (start(responder->call->response, status) < 0 || add_headers(responder->call->response, headers) < 0)
        return NULL;
    if (responder->call->response->has_connection)
        tell_connection(responder->call->request);
    responder->started = true;
    Py_INCREF(responder->b_write);
    return responder->b_write;
}

static const char *const parameters[] = {"status", "headers", "exc_info"};
enum { PARAMETERS = 3, REQUIRED = 2 };

/* Puts the keyword arguments in their places. 0, or -1 with an exception. */
static int place_keywords(PyObject **places, PyObject *const *values, PyObject *names)
{
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++) {
        PyObject *b_name = PyTuple_GET_ITEM(names, i);
        int place = 0;
        while (place < PARAMETERS && PyUnicode_CompareWithASCIIString(b_name, parameters[place]) != 0)
            place++;
        if (place == PARAMETERS || places[place] != NULL) {
            PyErr_Format(PyExc_TypeError, "start_response() got an unexpected or repeated argument '%U'",
                         b_name);
            return -1;
        }
        places[place] = values[i];
    }
    return 0;
}

/* start_response(status, headers, exc_info=None) */
static PyObject *start_response(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *places[PARAMETERS] = {NULL, NULL, NULL};
    if (count > PARAMETERS) {
        PyErr_Format(PyExc_TypeError, "start_response() takes at most 3 arguments, %zd were given", count);
        return NULL;
    }
    for (Py_ssize_t i = 0; i < count; i++)
        places[i] = args[i];
    if (names != NULL && place_keywords(places, args + count, names) < 0)
        return NULL;
    for (int i = 0; i < REQUIRED; i++)
        if (places[i] == NULL) {
            PyErr_Format(PyExc_TypeError, "start_response() needs its argument '%s'", parameters[i]);
            return NULL;
        }
    return respond((struct responder *)self, places[0], places[1], places[2]);
}

/* write(data): when it returns, the data is sent, or stored for a slow client (PEP 3333, "The
 * write() Callable"). */
static PyObject *write_data(PyObject *self, PyObject *data)
{
    struct responder *responder = (struct responder *)self;
    if (check_running(responder, "write") < 0 || check_answer(responder, "write") < 0)
        return NULL;
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "write() takes bytes, not %.100s", Py_TYPE(data)->tp_name);
        return NULL;
    }
    if (!responder->started) { /* the head in the response is incomplete */
        PyErr_SetString(PyExc_AssertionError, "write() was called after start_response() had failed");
        return NULL;
    }
    if (responder
            ->holding) { /* PEP 3333: "applications must not invoke write() within their return iterable" */
        PyErr_SetString(PyExc_AssertionError, "write() was called by the application's iterable");
        return NULL;
    }
    if (PyBytes_GET_SIZE(data) == 0)
        Py_RETURN_NONE;
    struct slice bytes = {PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data)};
    responder->head_left = true;
    if (responder->call->write(responder->call->context, bytes) < 0) {
        responder->client_gone = true;
        PyErr_SetString(PyExc_BrokenPipeError, "the client has gone away");
        return NULL;
    }
    Py_RETURN_NONE;
}

/* client_disconnected() -> bool. Any thread: the GIL keeps the call from ending meanwhile. */
static PyObject *client_disconnected(PyObject *self, PyObject *nothing)
{
    (void)nothing;
    const struct call_request *call = ((struct responder *)self)->call;
    return PyBool_FromLong(call == NULL || call->client_gone(call->context));
}

static PyMethodDef start_response_definition = {"start_response", (PyCFunction)(void (*)(void))start_response,
                                                METH_FASTCALL | METH_KEYWORDS,
                                                "start_response(status, headers, exc_info=None) -> write"};
static PyMethodDef write_definition = {"write", write_data, METH_O, "write(data)"};
static PyMethodDef client_disconnected_definition = {
    "client_disconnected", client_disconnected, METH_NOARGS,
    "client_disconnected() -> bool\n\nTrue when the client has gone."};

static void responder_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_Free(self);
    Py_DECREF(type);
}

int responder_init(void)
{
    static PyType_Slot slots[] = {
        {Py_tp_dealloc, responder_dealloc}, {Py_tp_new, type_refuses_new}, {0, NULL}};
    static PyType_Spec spec = {
        .name = "gateway.Responder",
        .basicsize = sizeof(struct responder),
        .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
        .slots = slots,
    };
    responder_type = (PyTypeObject *)PyType_FromSpec(&spec);
    return responder_type != NULL ? 0 : -1;
}

static int trio_make(struct responder_trio *trio)
{
    struct responder *responder = PyObject_New(struct responder, responder_type);
    if (responder == NULL)
        return -1;
    responder->call = NULL;
    responder->templates = 0;
    trio->responder = responder;
    trio->start_response = PyCFunction_New(&start_response_definition, (PyObject *)responder);
    trio->write = PyCFunction_New(&write_definition, (PyObject *)responder);
    trio->client_disconnected = PyCFunction_New(&client_disconnected_definition, (PyObject *)responder);
    responder->b_write = trio->write;
    return trio->start_response != NULL && trio->write != NULL && trio->client_disconnected != NULL ? 0 : -1;
}

/* True when only this thread and templates hold parts of the trio. */
static bool trio_is_ours(const struct responder_trio *trio)
{
    return trio->responder != NULL && Py_REFCNT(trio->start_response) == 1 && Py_REFCNT(trio->write) == 1 &&
           Py_REFCNT(trio->client_disconnected) == 1 + trio->responder->templates &&
           Py_REFCNT(trio->responder) == 4;
}

int responder_begin(struct responder_trio *trio, const struct call_request *call)
{
    if (!trio_is_ours(trio)) {
        responder_free(trio);
        if (trio_make(trio) < 0) {
            responder_free(trio);
            return -1;
        }
    }
    struct responder *responder = trio->responder;
    responder->call = call;
    responder->thread = pthread_self();
    responder->started = responder->head_left = responder->ended = responder->client_gone = false;
    responder->holding = false;
    return 0;
}

void responder_end_answer(struct responder_trio *trio)
{
    if (trio->responder != NULL)
        trio->responder->ended = true;
}

void responder_end(struct responder_trio *trio)
{
    if (trio->responder != NULL)
        trio->responder->call = NULL;
}

void client_disconnected_held(PyObject *client_disconnected, int templates)
{
    ((struct responder *)PyCFunction_GET_SELF(client_disconnected))->templates += templates;
}

void responder_free(struct responder_trio *trio)
{
    Py_CLEAR(trio->start_response);
    Py_CLEAR(trio->write);
    Py_CLEAR(trio->client_disconnected);
    Py_CLEAR(trio->responder);
}
