/*
 * The fields of the access log: a table of the values that it can show of an exchange. A row has
 * names: an atom of a format, a variable of environ, a field of JSON, or several of these. It also
 * has a function that reads the value. The format writes it (access/format.h).
 *
 * The names in JSON are those of OpenTelemetry's semantic conventions: HTTP server spans, general
 * attributes, and the trace context of logs that are not OTLP. Our own names begin with "gateway.".
 *
 * The thread that runs the loop reads the values, at the end of an exchange.
 */
#ifndef ACCESS_FIELDS_H
#define ACCESS_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/text.h"
#include "base/timestamp.h"
#include "http/traceparent.h"
#include "net/exchange.h"

enum access_kind {
    ACCESS_TEXT, /* the default */
    ACCESS_WORD, /* text without spaces: it stands without quotes in "combined" */
    ACCESS_LIST, /* a list of one text; in JSON an array */
    ACCESS_NUMBER,
    ACCESS_SECONDS, /* the value is in nanoseconds */
};

/* The exchange that is read, and room for values that have to be put together. */
struct access_source {
    const struct exchange *exchange;
    uint64_t duration_ns;
    struct timespec now;
    int pid, worker;       /* `worker` is negative outside of a worker */
    struct slice argument; /* the field's argument, or the one in the format */
    /* Room for a value that has to be put together. The value is valid until the next one is
     * read. */
    struct text scratch;
    char time[TIMESTAMP_SIZE];
    struct traceparent trace;
    enum { TRACE_UNKNOWN, TRACE_FOUND, TRACE_ABSENT } has_trace;
};

/* The value: text or number, as the kind says. */
struct access_value {
    struct slice text;
    uint64_t number;
};

struct access_field {
    const char *atom, *environ, *json; /* NULL: the field has no such name */
    enum access_kind kind;
    /* Fills *value. False: the value is unknown. */
    bool (*read)(struct access_source *source, struct access_value *value);
    const char *argument;
    const char *unknown; /* written by a format for an unknown value; NULL: "-" */
};

extern const struct access_field access_fields[];
extern const size_t access_field_count;

/* The fields with a name of the user's: %({NAME}i)s, %({NAME}o)s and %({HTTP_NAME}e)s. The argument
 * is NAME; in the last one it has dashes. */
extern const struct access_field access_request_field, access_response_field, access_environ_field;

#endif
