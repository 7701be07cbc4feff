/*
 * wsgi.errors: a text stream whose lines become records of the error log.
 *
 * The process has one object. So text of two threads without newlines may share a line; whole lines
 * never mix.
 */
#include "py/errors_stream.h"

#include "py/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"

/* A longer line becomes several records. */
enum { ERRORS_LINE_MAX = 8192 };

static PyTypeObject *errors_type;
static PyObject *errors;

/* The line that has no end yet. It is outside the object, so that it can be logged after the end of
 * Python. */
static struct {
    size_t size;
    char text[ERRORS_LINE_MAX];
} under_way;

/* A record would end at a NUL: replaces each by the log's escape for it. */
static void log_pieces(const char *text, size_t size)
{
    char shown[4 * ERRORS_LINE_MAX + 1];
    size_t n = 0;
    if (memchr(text, '\0', size) == NULL) {
        log_error("%.*s", (int)size, text);
        return;
    }
    for (size_t i = 0; i < size; i++)
        if (text[i] != '\0')
            shown[n++] = text[i];
        else
            n += (size_t)sprintf(shown + n, "\\x00");
    log_error("%.*s", (int)n, shown);
}

static void log_line(const char *text, size_t size)
{
    if (size > 0 && text[size - 1] == '\r')
        size--;
    if (size > 0)
        log_pieces(text, size);
}

void errors_flush(void)
{
    if (under_way.size == 0)
        return;
    log_line(under_way.text, under_way.size);
    under_way.size = 0;
}

/* Keeps bytes without a newline until one comes. */
static void keep(const char *data, size_t size)
{
    while (size > 0) {
        if (under_way.size == sizeof(under_way.text))
            errors_flush();
        size_t room = sizeof(under_way.text) - under_way.size;
        size_t part = size < room ? size : room;
        memcpy(under_way.text + under_way.size, data, part);
        under_way.size += part;
        data += part;
        size -= part;
    }
}

static void write_bytes(const char *data, size_t size)
{
    const char *end = data + size, *newline;

    for (; data < end && (newline = memchr(data, '\n', (size_t)(end - data))) != NULL; data = newline + 1) {
        size_t part = (size_t)(newline - data);
        if (under_way.size == 0 && part <= sizeof(under_way.text)) {
            log_line(data, part);
        } else {
            keep(data, part);
            errors_flush();
        }
    }
    keep(data, (size_t)(end - data));
}

static int write_text(PyObject *text)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "wsgi.errors takes str, not %.100s", Py_TYPE(text)->tp_name);
        return -1;
    }
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes == NULL)
        return -1;
    write_bytes(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
    Py_DECREF(bytes);
    return 0;
}

static PyObject *method_write(PyObject *self, PyObject *text)
{
    (void)self;
    return write_text(text) == 0 ? PyLong_FromSsize_t(PyUnicode_GetLength(text)) : NULL;
}

static PyObject *method_writelines(PyObject *self, PyObject *lines)
{
    (void)self;
    PyObject *iterator = PyObject_GetIter(lines), *line;
    if (iterator == NULL)
        return NULL;

    int result = 0;
    while (result == 0 && (line = PyIter_Next(iterator)) != NULL) {
        result = write_text(line);
        Py_DECREF(line);
    }
    Py_DECREF(iterator);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *method_flush(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    errors_flush();
    Py_RETURN_NONE;
}

static PyObject *method_isatty(PyObject *self, PyObject *unused)
{
    (void)self, (void)unused;
    Py_RETURN_FALSE;
}

static PyMethodDef methods[] = {
    {"write", method_write, METH_O, "Each line becomes a record of the error log."},
    {"writelines", method_writelines, METH_O, NULL},
    {"flush", method_flush, METH_NOARGS, "Logs what has no newline yet."},
    {"isatty", method_isatty, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_methods, methods},
    {Py_tp_new, type_refuses_new},
    {Py_tp_doc, "wsgi.errors: the server's error log"},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "gateway.Errors",
    .basicsize = sizeof(PyObject),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int errors_init(void)
{
    errors_type = (PyTypeObject *)PyType_FromSpec(&spec);
    if (errors_type == NULL)
        return -1;
    errors = PyObject_New(PyObject, errors_type);
    return errors != NULL ? 0 : -1;
}

PyObject *errors_new(void)
{
    Py_INCREF(errors);
    return errors;
}
