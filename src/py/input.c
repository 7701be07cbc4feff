/*
 * wsgi.input: a complete request body as a stream that behaves like an io.BufferedIOBase.
 *
 * The bytes are in memory or in a spool. A spool is read by position through a window, so that
 * lines need no system call each. The position moves before the GIL is released: two threads that
 * read the same input get different bytes.
 */
#include "py/input.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "py/compat.h"

/* Reads of the spool below WINDOW_SIZE use the window; larger reads go straight into the result. */
enum { WINDOW_SIZE = 32768, GIL_RELEASE_SIZE = 65536 };

/* The size of read1() without an argument. */
enum { READ1_SIZE = 65536 };

struct input {
    PyObject ob_base;
    struct body_content content; /* owned */
    uint64_t position;           /* of the next byte; may be beyond content.size */
    bool closed;
    char *window; /* WINDOW_SIZE bytes of the spool; NULL until needed */
    uint64_t window_start;
    size_t window_size;
};

static PyTypeObject *input_type;
static struct input *empty_input;
static PyObject *unsupported; /* io.UnsupportedOperation */

static struct input *input_alloc(const struct body_content *content)
{
    struct input *input = PyObject_New(struct input, input_type);
    if (input == NULL)
        return NULL;
    input->content = *content;
    input->position = 0;
    input->closed = false;
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

/* Reads exactly `size` bytes of the spool. 0, or -1 and errno; EIO when the spool has shrunk. */
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

/* The visible part of the body from `offset` on, at least `wanted` bytes, which must exist (at most
 * WINDOW_SIZE). It is in memory or in the window, and valid until the next call. NULL with an
 * exception. */
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

/* Reads `size` bytes of the spool straight into `to`. 0, or -1 with an exception. */
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

static uint64_t input_left(const struct input *input)
{
    return input->position < input->content.size ? input->content.size - input->position : 0;
}

/* Reads the next `size` bytes, which must exist, into `to`. 0, or -1 with an exception. */
static int input_take_into(struct input *input, char *to, size_t size)
{
    uint64_t offset = input->position;
    size_t available;
    if (size == 0)
        return 0;
    input->position += size;
    if (input->content.memory == NULL && size >= WINDOW_SIZE)
        return read_large(input, to, size, offset);
    const char *view = input_view(input, offset, size, &available);
    if (view == NULL)
        return -1;
    memcpy(to, view, size);
    return 0;
}

/* Reads them into a new bytes object. */
static PyObject *input_take(struct input *input, uint64_t size)
{
    if (size > PY_SSIZE_T_MAX)
        return PyErr_NoMemory();
    PyObject *bytes = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (bytes != NULL && input_take_into(input, PyBytes_AS_STRING(bytes), (size_t)size) != 0)
        Py_CLEAR(bytes);
    return bytes;
}

/* The size of the next line with its newline, at most `limit`. 0, or -1 with an exception. */
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

/* As in io: 0, or -1 with an exception. */
static int check_open(const struct input *input)
{
    if (!input->closed)
        return 0;
    PyErr_SetString(PyExc_ValueError, "I/O operation on closed file.");
    return -1;
}

/* Reads the optional argument into *limit. A missing, None, negative or too large one means all
 * bytes that are left. 0, or -1 with an exception. The argument's __index__ is the application's
 * code, which may read, move and close the stream: so the rest is computed afterwards. */
static int parse_size(struct input *input, const char *method, PyObject *const *args, Py_ssize_t count,
                      uint64_t *limit)
{
    Py_ssize_t size = -1;
    if (count > 1) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most 1 argument (%zd given)", method, count);
        return -1;
    }
    if (count == 1 && args[0] != Py_None)
        size = PyNumber_AsSsize_t(args[0], NULL); /* clips a huge number */
    if ((size == -1 && PyErr_Occurred()) || check_open(input) < 0)
        return -1;
    *limit = input_left(input);
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

/* Returns as much as one read gives: without a size, only a part of a body in a spool. */
static PyObject *method_read1(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct input *input = (struct input *)self;
    uint64_t limit;
    if (parse_size(input, "read1", args, count, &limit) != 0)
        return NULL;
    bool is_all = limit == input_left(input);
    return input_take(input, is_all && limit > READ1_SIZE ? READ1_SIZE : limit);
}

static PyObject *method_readinto(PyObject *self, PyObject *target)
{
    struct input *input = (struct input *)self;
    Py_buffer buffer;
    if (check_open(input) < 0)
        return NULL;
    if (PyObject_GetBuffer(target, &buffer, PyBUF_CONTIG) < 0) {
        PyErr_Format(PyExc_TypeError, "readinto() takes a read-write bytes-like object, not %.100s",
                     Py_TYPE(target)->tp_name);
        return NULL;
    }
    uint64_t size = input_left(input);
    if ((uint64_t)buffer.len < size)
        size = (uint64_t)buffer.len;
    int r = input_take_into(input, buffer.buf, (size_t)size);
    PyBuffer_Release(&buffer);
    return r == 0 ? PyLong_FromUnsignedLongLong(size) : NULL;
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
    uint64_t left = input_left(input);
    if (check_open(input) < 0)
        return NULL;
    return left > 0 ? input_take_line(input, left) : NULL;
}

/* As in io.IOBase: reads lines until their sizes reach the hint; a hint of 0 or less means no
 * limit. */
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

static uint64_t seek_origin(const struct input *input, long whence)
{
    return whence == SEEK_SET ? 0 : whence == SEEK_CUR ? input->position : input->content.size;
}

/* Whether the position exists, else with an exception. As in io.BytesIO. */
static bool may_seek(const struct input *input, Py_ssize_t offset, long whence)
{
    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END)
        PyErr_Format(PyExc_ValueError, "invalid whence (%ld, should be 0, 1 or 2)", whence);
    else if (whence == SEEK_SET && offset < 0)
        PyErr_Format(PyExc_ValueError, "negative seek value %zd", offset);
    else if (offset > 0 && seek_origin(input, whence) > (uint64_t)(PY_SSIZE_T_MAX - offset))
        PyErr_SetString(PyExc_OverflowError, "new position too large");
    else
        return true;
    return false;
}

/* A position before the beginning becomes the beginning. At positions beyond the end, reads return
 * nothing. */
static uint64_t find_position(const struct input *input, Py_ssize_t offset, long whence)
{
    uint64_t origin = seek_origin(input, whence), back = offset < 0 ? -(uint64_t)offset : 0;
    if (offset >= 0)
        return origin + (uint64_t)offset;
    return origin > back ? origin - back : 0;
}

/* seek(offset, whence=0). The shared object of empty bodies does not move: its position has no
 * effect. */
static PyObject *method_seek(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    struct input *input = (struct input *)self;
    if (check_open(input) < 0)
        return NULL;
    if (count < 1 || count > 2) {
        PyErr_Format(PyExc_TypeError, "seek() takes 1 or 2 arguments (%zd given)", count);
        return NULL;
    }
    Py_ssize_t offset = PyNumber_AsSsize_t(args[0], PyExc_OverflowError);
    if (offset == -1 && PyErr_Occurred())
        return NULL;
    long whence = count > 1 ? PyLong_AsLong(args[1]) : SEEK_SET;
    if ((whence == -1 && PyErr_Occurred()) || !may_seek(input, offset, whence))
        return NULL;
    uint64_t position = find_position(input, offset, whence);
    if (input != empty_input)
        input->position = position;
    return PyLong_FromUnsignedLongLong(position);
}

static PyObject *method_tell(PyObject *self, PyObject *unused)
{
    (void)unused;
    const struct input *input = (struct input *)self;
    return check_open(input) == 0 ? PyLong_FromUnsignedLongLong(input->position) : NULL;
}

/* Frees the body with the object. The shared object of empty bodies stays open, because the next
 * call uses it. io.TextIOWrapper closes its stream when it is collected. */
static PyObject *method_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    struct input *input = (struct input *)self;
    input->closed = input != empty_input;
    Py_RETURN_NONE;
}

static PyObject *get_closed(PyObject *self, void *unused)
{
    (void)unused;
    return PyBool_FromLong(((struct input *)self)->closed);
}

static PyObject *method_enter(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (check_open((struct input *)self) < 0)
        return NULL;
    Py_INCREF(self);
    return self;
}

static PyObject *method_exit(PyObject *self, PyObject *const *unused, Py_ssize_t count)
{
    (void)unused, (void)count;
    return method_close(self, NULL);
}

static PyObject *method_flush(PyObject *self, PyObject *unused)
{
    (void)unused;
    if (check_open((struct input *)self) < 0)
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *method_true(PyObject *self, PyObject *unused)
{
    (void)unused;
    return check_open((struct input *)self) == 0 ? PyBool_FromLong(1) : NULL;
}

static PyObject *method_false(PyObject *self, PyObject *unused)
{
    (void)unused;
    return check_open((struct input *)self) == 0 ? PyBool_FromLong(0) : NULL;
}

static PyObject *method_unsupported(PyObject *self, PyObject *const *unused, Py_ssize_t count)
{
    (void)self, (void)unused, (void)count;
    PyErr_SetString(unsupported, "wsgi.input can only be read");
    return NULL;
}

#define FASTCALL(function) (PyCFunction)(void (*)(void))(function), METH_FASTCALL

static PyMethodDef methods[] = {
    {"read", FASTCALL(method_read), "read(size=-1): at most size bytes; b'' at the end of the body"},
    {"read1", FASTCALL(method_read1), "read1(size=-1): the same; without a size, not always all of it"},
    {"readinto", method_readinto, METH_O, "readinto(buffer): the number of bytes that were put there"},
    {"readinto1", method_readinto, METH_O, "readinto1(buffer): the same"},
    {"readline", FASTCALL(method_readline), "readline(size=-1): a line, or size bytes of it"},
    {"readlines", FASTCALL(method_readlines), "readlines(hint=-1): a list of lines, of about hint bytes"},
    {"seek", FASTCALL(method_seek), "seek(offset, whence=0): the new position"},
    {"tell", method_tell, METH_NOARGS, "the position"},
    {"close", method_close, METH_NOARGS, "no reading after that; of an empty body, nothing"},
    {"flush", method_flush, METH_NOARGS, "does nothing"},
    {"readable", method_true, METH_NOARGS, NULL},
    {"seekable", method_true, METH_NOARGS, NULL},
    {"writable", method_false, METH_NOARGS, NULL},
    {"isatty", method_false, METH_NOARGS, NULL},
    {"fileno", FASTCALL(method_unsupported), NULL},
    {"detach", FASTCALL(method_unsupported), NULL},
    {"truncate", FASTCALL(method_unsupported), NULL},
    {"write", FASTCALL(method_unsupported), NULL},
    {"writelines", FASTCALL(method_unsupported), NULL},
    {"__enter__", method_enter, METH_NOARGS, NULL},
    {"__exit__", FASTCALL(method_exit), NULL},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef attributes[] = {
    {"closed", get_closed, NULL, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, input_dealloc},
    {Py_tp_iter, PyObject_SelfIter},
    {Py_tp_iternext, input_next},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
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

/* Makes isinstance() and issubclass() accept it as an io.BufferedIOBase, without inheritance. 0, or
 * -1 with an exception. */
static int register_type(void)
{
    PyObject *io = PyImport_ImportModule("io");
    PyObject *base = io != NULL ? PyObject_GetAttrString(io, "BufferedIOBase") : NULL;
    PyObject *result = base != NULL ? PyObject_CallMethod(base, "register", "O", input_type) : NULL;
    if (result != NULL)
        unsupported = PyObject_GetAttrString(io, "UnsupportedOperation");
    Py_XDECREF(io);
    Py_XDECREF(base);
    Py_XDECREF(result);
    return unsupported != NULL ? 0 : -1;
}

int input_init(void)
{
    const struct body_content nothing = {.spool = -1};

    input_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (input_type == NULL || register_type() < 0)
        return -1;
    empty_input = input_alloc(&nothing);
    return empty_input == NULL ? -1 : 0;
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
