/*
 * Header tuples that applications repeat: constants keep their identity, so a pointer stands for a checked and formatted line.
 *
 * Only exact tuples of exact str, which cannot change, and only those that somebody besides the header list holds (a constant,
 * a global), so that tuples made for one response do not push them out. Strong references: an address in the cache is not used again.
 */
#ifndef PY_HEADER_CACHE_H
#define PY_HEADER_CACHE_H

#include "http/response.h"
#include "py/compat.h"

/* Adds the (name, value) pair to the response. 0, or -1 with an exception set for the application. */
int header_cache_add(struct response *response, PyObject *pair);

/* Lets go of all pairs. */
void header_cache_clear(void);

#endif
