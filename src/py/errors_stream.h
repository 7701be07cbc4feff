/*
 * The inside of wsgi.errors, for the rest of py/; what a caller needs of it is in py/input.h.
 */
#ifndef PY_ERRORS_STREAM_H
#define PY_ERRORS_STREAM_H

int errors_init(void); /* makes the type and its one object; 0, or -1 with an exception */

/* Logs what was written without a newline yet. Costs nothing when there is none. */
void errors_flush(void);

#endif
