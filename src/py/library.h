/*
 * Modules of Python's own library that this program itself needs, above all for what is told of failures: held from before the application's directories are in sys.path, so that
 * neither the names of its modules nor a lack of descriptors can keep them away. By way of library.py, whose source is a string
 * in this program.
 */
#ifndef PY_LIBRARY_H
#define PY_LIBRARY_H

#include "py/compat.h"

/* Once, between the start of the interpreter and library_give_way, which comes when sys.path is the application's. Without success,
 * library_module finds nothing. No exception is left. */
void library_hold(void);
void library_give_way(void);

/* A new reference to a module that is held; NULL, without an exception, when it is not. */
PyObject *library_module(const char *name);
/* A function of library.py, "standard" or "undisturbed": a new reference; NULL with an exception. */
PyObject *library_function(const char *name);

/* Before Python ends. */
void library_release(void);

#endif
