/*
 * The threads of this process besides the calling one: what a fork loses.
 */
#ifndef PY_THREADS_H
#define PY_THREADS_H

#include "base/listing.h"

/* Adds each in quotation marks, by the name that Python's threading has for it, or else by the kernel's: C libraries have threads of
 * their own. GIL held. */
void threads_list(struct listing *listing);

#endif
