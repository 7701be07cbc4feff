/*
 * wsgi.file_wrapper (PEP 3333, "Optional Platform-Specific File Handling").
 */
#ifndef PY_FILE_WRAPPER_H
#define PY_FILE_WRAPPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "py/compat.h"

int file_wrapper_init(void);         /* makes the type; 0, or -1 with an exception */
PyObject *file_wrapper_type(void);   /* borrowed; callable as file_wrapper(filelike, block_size=8192) */
bool file_wrapper_check(PyObject *); /* exactly our type */

/* True when the wrapped object is a real file, read from the descriptor without any transformation (an exact io.FileIO, or an
 * exact io.BufferedReader or BufferedRandom over one, on a regular file): then *fd is borrowed, *offset is the object's
 * position and *size what is left from there. False (no exception): iterate it. Attributes that the object was given may run code
 * of the application meanwhile. */
bool file_wrapper_is_file(PyObject *wrapper, int *fd, off_t *offset, uint64_t *size);

#endif
