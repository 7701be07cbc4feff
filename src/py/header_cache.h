/*
 * Header tuples that applications repeat. Constants keep their identity, so that a pointer
 * identifies a checked and formatted line. GIL held.
 *
 * The cache takes only exact tuples of exact str, which cannot change. Something besides the header
 * list must hold a tuple (a constant, a global). So tuples of a single response do not displace
 * others. References are strong: a cached address is not reused.
 */
#ifndef PY_HEADER_CACHE_H
#define PY_HEADER_CACHE_H

#include "http/response.h"
#include "py/compat.h"

/* Adds the (name, value) pair to the response. 0, or -1 with an exception for the application. */
int header_cache_add(struct response *response, PyObject *pair);

/* Releases all pairs. */
void header_cache_clear(void);

#endif
