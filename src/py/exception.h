/*
 * Python exceptions as log records.
 */
#ifndef PY_EXCEPTION_H
#define PY_EXCEPTION_H

#include "py/compat.h"

/* Logs the exception under way with its traceback, one record, level error, and clears it: the text, then
 * the traceback. Never raises; does nothing when there is none.
 * In a process that the application forked it does not return: an exception that nobody has caught is the end of such a
 * process, as it would be for Python itself: SystemExit with its status and unlogged, all others with 1. */
void exception_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
