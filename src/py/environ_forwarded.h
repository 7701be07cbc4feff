/*
 * What a trusted proxy has said (http/forwarded.h), in environ: the fields themselves, as far as they were believed, and where the
 * application is. For environ.c, which does the rest.
 */
#ifndef PY_ENVIRON_FORWARDED_H
#define PY_ENVIRON_FORWARDED_H

#include "http/forwarded.h"
#include "py/compat.h"

int environ_forwarded_init(void); /* 0, or -1 with an exception */

/* HTTP_X_FORWARDED_* and HTTP_FORWARDED, HTTP_HOST and SCRIPT_NAME. 0, or -1 with an exception. */
int environ_forwarded_show(PyObject *dict, const struct forwarded *forwarded);

#endif
