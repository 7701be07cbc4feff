/*
 * wsgi.errors (PEP 3333, "Input and Error Streams"): text in, a record of level error per line out. GIL held, but for errors_flush
 * after the end of Python.
 */
#ifndef PY_ERRORS_STREAM_H
#define PY_ERRORS_STREAM_H

#include "py/compat.h"

int errors_init(void); /* makes the type and its one object; 0, or -1 with an exception */

/* The one object of the process; a new reference. */
PyObject *errors_new(void);

/* Logs what was written without a newline yet. Costs nothing when there is none. */
void errors_flush(void);

#endif
