/*
 * Python exceptions as log records. Python's traceback module, which is held from the start
 * (py/library.h), formats them. If that fails, this module formats them in C. The application may
 * have replaced a module that traceback imports, or no descriptor is left to read a source file.
 * With too little memory, only the type is logged.
 */
#include "py/exception.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "py/library.h"
#include "py/python_fork.h"

/* A record is one write(2), and a pipe takes at most 64 KiB at once: both ends of a longer text are
 * kept. */
enum { BLOCK_MAX = 32768 };

static const char cut_mark[] = "\n  [...]\n";

/* "".join(traceback.format_exception(type, value, traceback, chain=chain)); NULL, with or without
 * an exception. */
static PyObject *format(PyObject *exception, int chain)
{
    PyObject *module = NULL, *function = NULL, *traceback = NULL, *args = NULL, *kwargs = NULL;
    PyObject *lines = NULL, *empty = NULL, *text = NULL;

    if ((module = library_module("traceback")) == NULL)
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

static void write_text(PyObject *file, const char *text)
{
    if (PyFile_WriteString(text, file) < 0)
        PyErr_Clear();
}

/* Writes str(object), or `otherwise` when that raises or object is NULL. */
static void write_object(PyObject *file, PyObject *object, const char *otherwise)
{
    if (object != NULL && PyFile_WriteObject(object, file, Py_PRINT_RAW) == 0)
        return;
    PyErr_Clear();
    write_text(file, otherwise);
}

static void write_attribute(PyObject *file, PyObject *object, const char *name)
{
    PyObject *value = PyObject_GetAttrString(object, name);
    write_object(file, value, "?");
    Py_XDECREF(value);
}

static bool is_named(PyObject *type, const char *module)
{
    PyObject *name = PyObject_GetAttrString(type, "__module__");
    bool same = name != NULL && PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, module) == 0;
    Py_XDECREF(name);
    PyErr_Clear();
    return same;
}

static void write_type(PyObject *file, PyObject *type)
{
    if (!is_named(type, "builtins") && !is_named(type, "__main__")) {
        write_attribute(file, type, "__module__");
        write_text(file, ".");
    }
    write_attribute(file, type, "__qualname__");
}

/* Writes the place of the error, which has no frame. */
static void write_syntax_error(PyObject *file, PyObject *exception)
{
    write_text(file, "  File \"");
    write_attribute(file, exception, "filename");
    write_text(file, "\", line ");
    write_attribute(file, exception, "lineno");
    write_text(file, "\n");
}

/* Writes the frames, with their source lines if possible, and "type: text". */
static void write_exception(PyObject *file, PyObject *exception)
{
    PyObject *traceback = PyException_GetTraceback(exception), *text;
    if (traceback != NULL && PyTraceBack_Print(traceback, file) < 0)
        PyErr_Clear();
    if (PyErr_GivenExceptionMatches(exception, PyExc_SyntaxError))
        write_syntax_error(file, exception);
    write_type(file, (PyObject *)Py_TYPE(exception));
    text = PyObject_Str(exception);
    PyErr_Clear();
    if (text == NULL || PyUnicode_GetLength(text) > 0)
        write_text(file, ": ");
    write_object(file, text, "<its text cannot be shown>");
    write_text(file, "\n");
    Py_XDECREF(traceback);
    Py_XDECREF(text);
}

enum { CHAIN_MAX = 8 };

/* Writes the exceptions that led to it first. */
static void write_chain(PyObject *file, PyObject *exception, unsigned length)
{
    PyObject *cause = PyException_GetCause(exception), *context = PyException_GetContext(exception);
    PyObject *suppressed = PyObject_GetAttrString(exception, "__suppress_context__");
    PyErr_Clear();
    if (length < CHAIN_MAX && cause != NULL) {
        write_chain(file, cause, length + 1);
        write_text(file, "\nThe above exception was the direct cause of the following exception:\n\n");
    } else if (length < CHAIN_MAX && context != NULL && suppressed != Py_True) {
        write_chain(file, context, length + 1);
        write_text(file, "\nDuring handling of the above exception, another exception occurred:\n\n");
    }
    write_exception(file, exception);
    Py_XDECREF(cause);
    Py_XDECREF(context);
    Py_XDECREF(suppressed);
}

/* Uses built-in modules only; NULL, with or without an exception. */
static PyObject *write_plainly(PyObject *exception)
{
    PyObject *module = PyImport_ImportModule("_io");
    PyObject *file = module != NULL ? PyObject_CallMethod(module, "StringIO", NULL) : NULL;
    PyObject *text = NULL;
    if (file != NULL) {
        write_chain(file, exception, 0);
        text = PyObject_CallMethod(file, "getvalue", NULL);
    }
    Py_XDECREF(module);
    Py_XDECREF(file);
    return text;
}

/* The traceback as UTF-8 in a bytes object; NULL, without an exception, when memory is short. */
static PyObject *format_bytes(PyObject *exception)
{
    PyObject *text = format(exception, 1);
    if (text == NULL) {
        PyErr_Clear();
        text = format(exception, 0);
    }
    if (text == NULL) {
        PyErr_Clear();
        text = write_plainly(exception);
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

/* The status for sys.exit(code): a number is the status itself; any other value but None is
 * printed. */
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
    if (python_is_fork() && PyErr_GivenExceptionMatches(exception, PyExc_SystemExit))
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
    if (python_is_fork())
        _exit(1);
}
