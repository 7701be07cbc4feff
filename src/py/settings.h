/*
 * Reads a configuration file with Python's tomllib, in a process that does nothing else.
 */
#ifndef PY_SETTINGS_H
#define PY_SETTINGS_H

/* Starts an interpreter that ignores site and the environment, and writes the content of the file
 * to the descriptor: key, NUL, value, NUL and so on. `table` selects a table; "" means the whole
 * file. Closes the descriptor. 0; or -1: then it has written one sentence about the mistake, which
 * continues after the file's name. */
int settings_write(const char *path, const char *table, int out);

#endif
