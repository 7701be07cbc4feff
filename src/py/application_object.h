/*
 * The inside of struct application, for those in py/ who call it.
 */
#ifndef PY_APPLICATION_OBJECT_H
#define PY_APPLICATION_OBJECT_H

#include "py/compat.h"

struct application {
    PyObject *callable;
};

#endif
