/*
 * wsgi.input (PEP 3333, "Input and Error Streams").
 *
 * The body is complete before the application starts, so reading never waits, and it can be read again: the object behaves as an
 * io.BufferedIOBase that is read-only and can seek. An input object owns its content: an application that keeps it beyond the
 * request does no harm.
 */
#ifndef PY_INPUT_H
#define PY_INPUT_H

#include "http/body.h"
#include "py/compat.h"

int input_init(void); /* makes the types; 0, or -1 with an exception */

/* A new reference. Moves the content in; an empty one gives the stateless object that all empty bodies share. */
PyObject *input_new(struct body_content *content);

#endif
