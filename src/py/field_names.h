/*
 * The environ key of a header field: "Accept-Language" to HTTP_ACCEPT_LANGUAGE, interned. GIL held.
 */
#ifndef PY_FIELD_NAMES_H
#define PY_FIELD_NAMES_H

#include "base/slice.h"
#include "py/compat.h"

int field_names_init(void); /* 0, or -1 with an exception */

/* Borrowed, valid until the next call. NULL without an exception for a field that environ hides
 * (Transfer-Encoding, because the body is decoded). NULL with an exception when memory is short. */
PyObject *field_name_key(struct slice name);

#endif
