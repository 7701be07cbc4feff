/*
 * wsgi.errors (PEP 3333, "Input and Error Streams"): each line of text becomes a record of level
 * error. GIL held; errors_flush may also be called after the end of Python.
 */
#ifndef PY_ERRORS_STREAM_H
#define PY_ERRORS_STREAM_H

#include "py/compat.h"

int errors_init(void); /* makes the type and its one object; 0, or -1 with an exception */

/* The only object of the process; a new reference. */
PyObject *errors_new(void);

/* Logs text that has no newline yet. Costs nothing without such text. */
void errors_flush(void);

#endif
