/*
 * traceparent: which trace a request belongs to (W3C Trace Context, 3.2). Taken whole or not at all.
 */
#ifndef HTTP_TRACEPARENT_H
#define HTTP_TRACEPARENT_H

#include <stdbool.h>

#include "http/header_section.h"

/* Lower-case hexadecimal digits, in the field's value. */
struct traceparent {
    struct slice trace_id; /* 32 */
    struct slice span_id;  /* 16: the caller's */
    struct slice flags;    /* 2 */
};

/* False when the value is not well-formed, or all of an id is zero. A version that is not known yet is read as far as 00 goes. */
bool traceparent_parse(struct slice value, struct traceparent *found);
/* The section's. False also when it is there twice: nobody knows which of them counts. */
bool traceparent_find(const struct header_section *section, struct traceparent *found);

#endif
