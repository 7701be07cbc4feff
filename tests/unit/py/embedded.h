/*
 * Shared by the tests of py/: each test runs in a process of its own, with an interpreter, an empty
 * working directory and its error log in the file "error.log" there.
 */
#ifndef EMBEDDED_H
#define EMBEDDED_H

#include "py/compat.h"

#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "options/options.h"
#include "py/interp.h"
#include "unit.h"

static char embedded_directory[] = "/tmp/gateway-unit-XXXXXX";

/* The parts of the fixture, for tests that act between them. */
static inline void embedded_enter_directory(void)
{
    const struct log_options log = {.path = "error.log", .level = LOG_INFO};
    ck_assert_ptr_nonnull(mkdtemp(embedded_directory));
    ck_assert_int_eq(chdir(embedded_directory), 0);
    ck_assert_int_eq(log_open(&log), 0);
}

static inline void embedded_start(void)
{
    const struct options options = {0};
    unsetenv("VIRTUAL_ENV");
    embedded_enter_directory();
    ck_assert_int_eq(interp_start(&options), 0);
}

static inline void embedded_stop(void)
{
    char *command = xasprintf("rm -rf %s", embedded_directory);
    ck_assert_int_eq(system(command), 0);
    free(command);
}

/* The whole error log; the caller frees it. */
static inline char *embedded_log(void)
{
    FILE *file = fopen("error.log", "re");
    ck_assert_ptr_nonnull(file);
    char *text = xcalloc(1, 1 << 20);
    size_t size = fread(text, 1, (1 << 20) - 1, file);
    text[size] = '\0';
    fclose(file);
    return text;
}

static inline size_t embedded_count(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        count++;
    return count;
}

static inline void embedded_write(const char *name, const char *text)
{
    FILE *file = fopen(name, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

/* The value of a Python expression, with `subject` (or nothing) as the name x; NULL with its
 * exception. A new reference. */
static inline PyObject *embedded_evaluate(const char *expression, PyObject *subject)
{
    PyObject *names = PyDict_New();
    ck_assert_ptr_nonnull(names);
    ck_assert_int_eq(PyDict_SetItemString(names, "__builtins__", PyEval_GetBuiltins()), 0);
    if (subject != NULL)
        ck_assert_int_eq(PyDict_SetItemString(names, "x", subject), 0);
    PyObject *value = PyRun_String(expression, Py_eval_input, names, names);
    Py_DECREF(names);
    return value;
}

/* Fails unless the expression is true. */
static inline void embedded_assert(const char *expression, PyObject *subject)
{
    PyObject *value = embedded_evaluate(expression, subject);
    if (value == NULL)
        PyErr_Print();
    ck_assert_msg(value != NULL, "%s: raised", expression);
    PyObject *text = PyObject_Repr(value);
    ck_assert_msg(PyObject_IsTrue(value) == 1, "%s: %s", expression, PyUnicode_AsUTF8(text));
    Py_DECREF(text);
    Py_DECREF(value);
}

#endif
