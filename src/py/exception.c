/*
 * Python exceptions as log records: formatted by Python's own traceback module, with less and less of it when
 * that fails too (an exception whose __str__ raises, no memory, no stack).
 */
#include "py/exception.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "py/interp.h"

/* A record is one write(2), and a pipe takes no more than 64 KiB at once: of more, the two ends are kept. */
enum { BLOCK_MAX = 32768 };

static const char cut_mark[] = "\n  [...]\n";

/* "".join(traceback.format_exception(type, value, traceback, chain=chain)); NULL with an exception. */
static PyObject *format(PyObject *exception, int chain)
{
    PyObject *module = NULL, *function = NULL, *traceback = NULL, *args = NULL, *kwargs = NULL;
    PyObject *lines = NULL, *empty = NULL, *text = NULL;

    if ((module = PyImport_ImportModule("traceback")) == NULL)
        goto out;
    if ((function = PyObject_GetAttrString(module, "format_exception")) == NULL)
        goto out;
    traceback = PyException_GetTraceback(exception);
    args = Py_BuildValue("(OOO)", (PyObject *)Py_TYPE(exception), exception, traceback ? traceback : Py_None);
    kwargs = Py_BuildValue("{sO}", "chain", chain ? Py_True : Py_False);
    if (args == NULL || kwargs == NULL)
        goto out;
    if ((lines = PyObject_Call(function, args, kwargs)) == NULL)
        goto out;
    if ((empty = PyUnicode_FromStringAndSize(NULL, 0)) != NULL)
        text = PyUnicode_Join(empty, lines);
out:
    Py_XDECREF(module);
    Py_XDECREF(function);
    Py_XDECREF(traceback);
    Py_XDECREF(args);
    Py_XDECREF(kwargs);
    Py_XDECREF(lines);
    Py_XDECREF(empty);
    return text;
}

/* The traceback as UTF-8 in a bytes object; NULL, without an exception, when Python cannot do it. */
static PyObject *format_bytes(PyObject *exception)
{
    PyObject *text = format(exception, 1);
    if (text == NULL) {
        PyErr_Clear();
        text = format(exception, 0);
    }
    PyObject *bytes = text == NULL ? NULL : PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    Py_XDECREF(text);
    PyErr_Clear();
    return bytes;
}

static void log_cut(const char *block, size_t size, const char *what)
{
    if (size <= BLOCK_MAX) {
        log_block(LOG_ERROR, block, size, "%s", what);
        return;
    }
    size_t half = BLOCK_MAX / 2, mark = sizeof(cut_mark) - 1;
    char *cut = xmalloc(2 * half + mark);
    memcpy(cut, block, half);
    memcpy(cut + half, cut_mark, mark);
    memcpy(cut + half + mark, block + size - half, half);
    log_block(LOG_ERROR, cut, 2 * half + mark, "%s", what);
    free(cut);
}

/* Of sys.exit(code): a number is the status; anything else but None is printed. */
static int exit_status(PyObject *exception)
{
    PyObject *code = PyObject_GetAttrString(exception, "code");
    int status = 1;
    if (code == Py_None)
        status = 0;
    else if (code != NULL && PyLong_Check(code))
        status = (int)PyLong_AsLong(code);
    else if (code != NULL)
        PySys_FormatStderr("%S\n", code);
    Py_XDECREF(code);
    return status;
}

void exception_log(const char *what_format, ...)
{
    PyObject *exception = exception_take();
    if (exception == NULL)
        return;
    if (interp_is_fork() && PyErr_GivenExceptionMatches(exception, PyExc_SystemExit))
        _exit(exit_status(exception));

    va_list args;
    va_start(args, what_format);
    char *what = xvasprintf(what_format, args);
    va_end(args);

    PyObject *bytes = format_bytes(exception);
    if (bytes != NULL)
        log_cut(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes), what);
    else
        log_error("%s: %s (its traceback cannot be shown)", what, Py_TYPE(exception)->tp_name);
    Py_XDECREF(bytes);
    free(what);
    Py_DECREF(exception);
    if (interp_is_fork())
        _exit(1);
}
