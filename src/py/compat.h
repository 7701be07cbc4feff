/*
 * What differs between CPython 3.9 and 3.13 and later: the one home for version checks of the C API.
 */
#ifndef PY_COMPAT_H
#define PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* tomllib is of 3.11; before, it is a package, found where site looks. */
#define TOML_NEEDS_SITE (PY_VERSION_HEX < 0x030b0000)

/* From 3.14 on site takes the packages from where the library is said to be, not from beside sys.executable. */
#define VENV_LIBRARY_APART (PY_VERSION_HEX < 0x030e0000)

/* The attribute as a new reference in *value; 1. Not there: NULL and 0, without an exception. Error: NULL
 * and -1. */
static inline int object_lookup(PyObject *object, PyObject *name, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyObject_GetOptionalAttr(object, name, value);
#else
    return _PyObject_LookupAttr(object, name, value);
#endif
}

/* The exception under way as one object, normalised, with its traceback set; a new reference, the
 * indicator is cleared. */
static inline PyObject *exception_take(void)
{
#if PY_VERSION_HEX >= 0x030c0000
    return PyErr_GetRaisedException();
#else
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == NULL)
        return NULL;
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return value;
#endif
}

/* Before 3.12 a str may not have its representation yet. 0, or -1 with an exception. */
static inline int unicode_ready(PyObject *text)
{
#if PY_VERSION_HEX >= 0x030c0000
    (void)text;
    return 0;
#else
    return PyUnicode_READY(text);
#endif
}

/* 3.10: before that the attributes of a heap type can be replaced. */
#ifndef Py_TPFLAGS_IMMUTABLETYPE
#define Py_TPFLAGS_IMMUTABLETYPE 0
#endif

/* For Py_tp_new of a type whose objects only C makes (Py_TPFLAGS_DISALLOW_INSTANTIATION is of 3.10). */
static inline PyObject *type_refuses_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)args, (void)keywords;
    PyErr_Format(PyExc_TypeError, "cannot create '%.100s' instances", type->tp_name);
    return NULL;
}

#endif
