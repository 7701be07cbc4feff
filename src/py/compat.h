/*
 * The differences between CPython 3.9 to 3.13 and later. All version checks of the C API are here.
 */
#ifndef PY_COMPAT_H
#define PY_COMPAT_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

/* tomllib came with 3.11. Older versions need the package, which only site finds. */
#define TOML_NEEDS_SITE (PY_VERSION_HEX < 0x030b0000)

/* From 3.14 on, site takes the packages from the directory of the library, and not from beside
 * sys.executable. */
#define VENV_LIBRARY_APART (PY_VERSION_HEX < 0x030e0000)

/* 1 and a new reference in *value; 0 and NULL, without an exception, when there is no such
 * attribute; -1 and NULL after an error. */
static inline int object_lookup(PyObject *object, PyObject *name, PyObject **value)
{
#if PY_VERSION_HEX >= 0x030d0000
    return PyObject_GetOptionalAttr(object, name, value);
#else
    return _PyObject_LookupAttr(object, name, value);
#endif
}

/* The present exception as one normalised object, with its traceback set. Returns a new reference
 * and clears the indicator. */
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

/* Before 3.12 a str may lack its representation. 0, or -1 with an exception. */
static inline int unicode_ready(PyObject *text)
{
#if PY_VERSION_HEX >= 0x030c0000
    (void)text;
    return 0;
#else
    return PyUnicode_READY(text);
#endif
}

/* Came with 3.10. Before, programs can replace the attributes of a heap type. */
#ifndef Py_TPFLAGS_IMMUTABLETYPE
#define Py_TPFLAGS_IMMUTABLETYPE 0
#endif

/* For Py_tp_new of a type whose objects only C makes (Py_TPFLAGS_DISALLOW_INSTANTIATION came with
 * 3.10). */
static inline PyObject *type_refuses_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)args, (void)keywords;
    PyErr_Format(PyExc_TypeError, "cannot create '%.100s' instances", type->tp_name);
    return NULL;
}

#endif
