/*
 * Python exceptions as log records.
 */
#ifndef PY_EXCEPTION_H
#define PY_EXCEPTION_H

#include "py/compat.h"

/* Logs the present exception as one record of level error: the text, then the traceback. Clears the
 * exception. Never raises; does nothing without an exception. GIL held. In a process that the
 * application forked, it does not return: an uncaught exception ends such a process, as in Python
 * itself. SystemExit is not logged and gives the status; any other exception gives 1. */
void exception_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
