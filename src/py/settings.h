/*
 * A configuration file, read by Python's own tomllib: in a process of its own, which does nothing else.
 */
#ifndef PY_SETTINGS_H
#define PY_SETTINGS_H

/* Starts an interpreter that neither site nor the environment have a say in, and writes to the descriptor what the file says (`table`:
 * only there, "" for the whole file): key, NUL, value, NUL and so on. Closes the descriptor. 0; or -1, then it is one sentence, what is
 * wrong, that goes on after the file's name. */
int settings_write(const char *path, const char *table, int out);

#endif
