/*
 * What the access log can say of an exchange: a table. A row is an atom of a format, a variable of environ, a field of JSON,
 * or some of these, and how to find it out. How it is written is access/format's business.
 *
 * The names in JSON are those of OpenTelemetry's semantic conventions (HTTP server spans, general attributes, and the trace
 * context of logs that are not OTLP), and our own begin with "gateway.".
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
    ACCESS_TEXT, /* unless a row says otherwise */
    ACCESS_WORD, /* stands without quotes in "combined": no spaces */
    ACCESS_LIST, /* of one text; in JSON an array */
    ACCESS_NUMBER,
    ACCESS_SECONDS, /* the number is of nanoseconds */
};

/* What is asked. */
struct access_source {
    const struct exchange *exchange;
    uint64_t duration_ns;
    struct timespec now;
    int pid, worker;       /* `worker` is negative where there is none */
    struct slice argument; /* the field's, or the format's */
    /* Where a value is put together that stands nowhere yet; valid until the next one is asked for. */
    struct text scratch;
    char time[TIMESTAMP_SIZE];
    struct traceparent trace;
    enum { TRACE_UNKNOWN, TRACE_FOUND, TRACE_ABSENT } has_trace;
};

/* The answer: one of the two, as the kind says. */
struct access_value {
    struct slice text;
    uint64_t number;
};

struct access_field {
    const char *atom, *environ, *json; /* NULL: it has none */
    enum access_kind kind;
    /* False: it is not known. */
    bool (*read)(struct access_source *source, struct access_value *value);
    const char *argument;
    const char *unknown; /* what a format says when it is not known; NULL: "-" */
};

extern const struct access_field access_fields[];
extern const size_t access_field_count;

/* %({NAME}i)s, %({NAME}o)s, and %({HTTP_NAME}e)s. The argument is NAME, in the last one with dashes. */
extern const struct access_field access_request_field, access_response_field, access_environ_field;

#endif
