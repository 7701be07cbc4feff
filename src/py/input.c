/*
 * wsgi.input: a request body that is complete, as a stream.
 *
 * The bytes are in memory, or in a spool that is read by position through a window, so that lines cost no
 * system call each. The position moves before the GIL is released: two threads that read the same input get
 * different bytes.
 */
#include "py/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "py/compat.h"
#include "py/errors_stream.h"

/* Reads of the spool below WINDOW_SIZE go through the window, larger ones straight into the result. */
enum { WINDOW_SIZE = 32768, GIL_RELEASE_SIZE = 65536 };

struct input {
    PyObject ob_base;
    struct body_content content; /* ours */
    uint64_t position;           /* of the next byte to be read; never beyond content.size */
    char *window;                /* WINDOW_SIZE bytes of the spool; NULL until needed */
    uint64_t window_start;
    size_t window_size;
};

static PyTypeObject *input_type;
static struct input *empty_input;

static struct input *input_alloc(const struct body_content *content)
{
    struct input *input = PyObject_New(struct input, input_type);
    if (input == NULL)
        return NULL;
    input->content = *content;
    input->position = 0;
    input->window = NULL;
    input->window_start = input->window_size = 0;
    return input;
}

static void input_dealloc(PyObject *self)
{
    struct input *input = (struct input *)self;
    PyTypeObject *type = Py_TYPE(self);

    body_content_free(&input->content);
    PyMem_Free(input->window);
    PyObject_Free(self);
    Py_DECREF(type);
}

/* All of `size` bytes of the spool. 0, or -1 and errno; a spool that has become shorter is an EIO. */
static int spool_read(int spool, char *to, size_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t got = pread(spool, to, size, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            errno = got < 0 ? errno : EIO;
            return -1;
        }
        to += got;
        size -= (size_t)got;
        offset += (size_t)got;
    }
    return 0;
}

/* What can be seen of the body from `offset` on, at least `wanted` bytes (at most WINDOW_SIZE, and they
 * must exist); in memory or in the window, until the next call. NULL with an exception. */
static const char *input_view(struct input *input, uint64_t offset, size_t wanted, size_t *size)
{
    if (input->content.memory != NULL) {
        *size = (size_t)(input->content.size - offset);
        return input->content.memory + offset;
    }
    uint64_t window_end = input->window_start + input->window_size;
    if (offset < input->window_start || offset + wanted > window_end) {
        if (input->window == NULL && (input->window = PyMem_Malloc(WINDOW_SIZE)) == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        uint64_t left = input->content.size - offset;
        input->window_start = offset;
        input->window_size = left < WINDOW_SIZE ? (size_t)left : WINDOW_SIZE;
        if (spool_read(input->content.spool, input->window, input->window_size, offset) != 0) {
            input->window_size = 0;
            PyErr_SetFromErrno(PyExc_OSError);
            return NULL;
        }
        window_end = offset + input->window_size;
    }
    *size = (size_t)(window_end - offset);
    return input->window + (offset - input->window_start);
}

/* `size` bytes of the spool straight into `to`. 0, or -1 with an exception. */
static int read_large(struct input *input, char *to, size_t size, uint64_t offset)
{
    int result;

    if (size < GIL_RELEASE_SIZE) {
        result = spool_read(input->content.spool, to, size, offset);
    } else {
        Py_BEGIN_ALLOW_THREADS result = spool_read(input->content.spool, to, size, offset);
        Py_END_ALLOW_THREADS
    }
    if (result != 0)
        PyErr_SetFromErrno(PyExc_OSError);
    return result;
}

/* The next `size` bytes, which must exist, as a new bytes object. */
static PyObject *input_take(struct input *input, uint64_t size)
{
    if (size > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes == NULL || size == 0)
        return bytes;

    uint64_t offset = input->position;
    input->position += size;
    if (input->content.memory == NULL && size >= WINDOW_SIZE) {
        if (read_large(input, PyBytes_AS_STRING(bytes), (size_t)size, offset) == 0)
            return bytes;
    } else {
        size_t available;
        const char *view = input_view(input, offset, (size_t)size, &available);
        if (view != NULL) {
            memcpy(PyBytes_AS_STRING(bytes), view, (size_t)size);
            return bytes;
        }
    }
    Py_DECREF(bytes);
    return NULL;
}

/* The bytes up to and with the next newline, at most `limit` of them. 0, or -1 with an exception. */
static int line_size(struct input *input, uint64_t limit, uint64_t *size)
{
    for (*size = 0; *size < limit;) {
        size_t available;
        const char *view = input_view(input, input->position + *size, 1, &available);
        if (view == NULL)
            return -1;
        if (available > limit - *size)
            available = (size_t)(limit - *size);
        const char *newline = memchr(view, '\n', available);
        if (newline != NULL) {
            *size += (size_t)(newline - view) + 1;
            return 0;
        }
        *size += available;
    }
    return 0;
}

static PyObject *input_take_line(struct input *input, uint64_t limit)
{
    uint64_t size;
    return line_size(input, limit, &size) == 0 ? input_take(input, size) : NULL;
}

/* The one optional argument: *limit is it, or what is left when it is missing, None, negative or more than
 * that. 0, or -1 with an exception. */
static int parse_size(struct input *input, const char *method, PyObject *const *args, Py_ssize_t count,
                      uint64_t *limit)
{
    *limit = input->content.size - input->position;
    if (count > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", method, count);
        return -1;
    }
    if (count == 0 || args[0] == Py_None)
        return 0;
    Py_ssize_t size = PyNumber_AsSsize_t(args[0], NULL); /* clipped, not refused, when it is huge */
    if (size == -1 && PyErr_Occurred())
        return -1;
    if (size >= 0 && (uint64_t)size < *limit)
        *limit = (uint64_t)size;
    return 0;
}

static PyObject *method_read(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct input *input = (struct input *)self;
    uint64_t limit;
    return parse_size(input, "read", args, count, &limit) == 0 ? input_take(input, limit) : NULL;
}

static PyObject *method_readline(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct input *input = (struct input *)self;
    uint64_t limit;
    return parse_size(input, "readline", args, count, &limit) == 0 ? input_take_line(input, limit) : NULL;
}

static PyObject *input_next(PyObject *self)
{
    struct input *input = (struct input *)self;
    uint64_t left = input->content.size - input->position;
    return left > 0 ? input_take_line(input, left) : NULL;
}

/* As io.IOBase has it: lines until their sizes reach the hint; a hint of 0 or less is none. */
static PyObject *method_readlines(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    uint64_t hint, total = 0;
    if (parse_size((struct input *)self, "readlines", args, count, &hint) != 0)
        return NULL;
    PyObject *lines = PyList_New(0), *line;
    if (lines == NULL)
        return NULL;

    while ((hint == 0 || total < hint) && (line = input_next(self)) != NULL) {
        total += (uint64_t)PyBytes_GET_SIZE(line);
        int failed = PyList_Append(lines, line);
        Py_DECREF(line);
        if (failed)
            break;
    }
    if (PyErr_Occurred())
        Py_CLEAR(lines);
    return lines;
}

/* Harmless: the body goes with the object. */
static PyObject *method_close(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_NONE;
}

#define FASTCALL(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL

static PyMethodDef methods[] = {
    {"read", FASTCALL(method_read), "read(size=-1): at most size bytes; b'' at the end of the body"},
    {"readline", FASTCALL(method_readline), "readline(size=-1): a line, or size bytes of it"},
    {"readlines", FASTCALL(method_readlines), "readlines(hint=-1): a list of lines, of about hint bytes"},
    {"close", method_close, METH_NOARGS, "does nothing"},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, input_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, input_next},
    {Py_tp_methods, methods},
    {Py_tp_new, type_refuses_new},
    {Py_tp_doc, "wsgi.input: the request body"},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "gateway.Input",
    .basicsize = sizeof(struct input),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int input_init(void)
{
    const struct body_content nothing = {.spool = -1};

    input_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (input_type == NULL)
        return -1;
    empty_input = input_alloc(&nothing);
    return empty_input == NULL ? -1 : errors_init();
}

PyObject *input_new(struct body_content *content)
{
    struct input *input = empty_input;

    if (content->size == 0) {
        body_content_free(content);
        Py_INCREF(input);
    } else if ((input = input_alloc(content)) == NULL) {
        return NULL;
    }
    *content = (struct body_content){.spool = -1};
    return (PyObject *)input;
}
