/*
 * wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling"). GIL held.
 */
#ifndef PY_FILE_WRAPPER_H
#define PY_FILE_WRAPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "py/compat.h"

int file_wrapper_init(void);         /* makes the type; 0, or -1 with an exception */
PyObject *file_wrapper_type(void);   /* borrowed; callable as file_wrapper(filelike, block_size=8192) */
bool file_wrapper_check(PyObject *); /* of exactly this type */

/* Whether the wrapped object is a regular file, read without transformation: exactly an io.FileIO,
 * or an io.BufferedReader or BufferedRandom over it. Then *fd is borrowed, *offset is the object's
 * position, and *size the number of bytes from there. False without an exception: the caller must
 * iterate. Attributes set on the object may run the application's code meanwhile. */
bool file_wrapper_is_file(PyObject *wrapper, int *fd, off_t *offset, uint64_t *size);

#endif
