/*
 * traceparent: the trace that a request belongs to (W3C Trace Context, 3.2). A value is taken whole
 * or not at all.
 */
#ifndef HTTP_TRACEPARENT_H
#define HTTP_TRACEPARENT_H

#include <stdbool.h>

#include "http/header_section.h"

/* Lower-case hexadecimal digits, in the field's value. */
struct traceparent {
    struct slice trace_id; /* 32 digits */
    struct slice span_id;  /* 16 digits: the caller's span */
    struct slice flags;    /* 2 digits */
};

/* False when the value is malformed, or an id is all zeros. A value of an unknown version is read
 * as far as version 00 goes. */
bool traceparent_parse(struct slice value, struct traceparent *found);
/* Finds the section's value. False also when the field is repeated: two values are ambiguous. */
bool traceparent_find(const struct header_section *section, struct traceparent *found);

#endif
