/*
 * Modules of Python's library that this program needs, above all to log failures. They are held
 * from a time before sys.path has the application's directories. So neither the application's
 * module names nor a lack of descriptors can keep them away. library.py, whose source is a string
 * in this program, holds them. GIL held.
 */
#ifndef PY_LIBRARY_H
#define PY_LIBRARY_H

#include "py/compat.h"

/* Call library_hold once after the start of the interpreter, and library_give_way when sys.path is
 * the application's. After a failure, library_module finds nothing. Neither leaves an exception. */
void library_hold(void);
void library_give_way(void);

/* A new reference to a held module; NULL, without an exception, when it is not held. */
PyObject *library_module(const char *name);
/* A function of library.py, "standard" or "undisturbed": a new reference; NULL with an
 * exception. */
PyObject *library_function(const char *name);

/* Releases the modules. Call before the end of Python. */
void library_release(void);

#endif
