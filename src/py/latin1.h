/*
 * Native strings of WSGI: str whose characters are bytes (PEP 3333, "Unicode Issues"). GIL held.
 */
#ifndef PY_LATIN1_H
#define PY_LATIN1_H

#include "base/slice.h"
#include "py/compat.h"

static inline PyObject *latin1_str(struct slice text)
{
    return PyUnicode_DecodeLatin1(text.data, (Py_ssize_t)text.size, NULL);
}

/* The bytes of a str, borrowed. 0, or -1 with TypeError or ValueError, whose text begins with
 * `what`. */
static inline int latin1_slice(PyObject *text, const char *what, struct slice *bytes)
{
    if (!PyUnicode_Check(text)) {
        PyErr_Format(PyExc_TypeError, "%s must be str, not %.100s", what, Py_TYPE(text)->tp_name);
        return -1;
    }
    if (unicode_ready(text) < 0)
        return -1;
    if (PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
        PyErr_Format(PyExc_ValueError, "%s has characters outside latin-1: %R", what, text);
        return -1;
    }
    *bytes = (struct slice){(const char *)PyUnicode_1BYTE_DATA(text), (size_t)PyUnicode_GET_LENGTH(text)};
    return 0;
}

#endif
