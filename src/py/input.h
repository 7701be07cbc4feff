/*
 * wsgi.input (PEP 3333, "Input and Error Streams"). GIL held.
 *
 * The body is complete before the application starts: reads never wait, and the body can be read
 * again. The object behaves as a read-only io.BufferedIOBase that can seek. It owns its content, so
 * that an application may keep it beyond the request.
 */
#ifndef PY_INPUT_H
#define PY_INPUT_H

#include "http/body.h"
#include "py/compat.h"

int input_init(void); /* makes the types; 0, or -1 with an exception */

/* A new reference, or NULL with an exception. Moves the content in. All empty bodies share one
 * stateless object. */
PyObject *input_new(struct body_content *content);

#endif
