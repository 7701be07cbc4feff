/*
 * The content of struct application, for the modules of py/ that call it.
 */
#ifndef PY_APPLICATION_OBJECT_H
#define PY_APPLICATION_OBJECT_H

#include "py/compat.h"

struct application {
    PyObject *callable;
};

#endif
