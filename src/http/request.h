/*
 * A request as parsed: the request line, and the header section. Slices only; nothing here allocates per field.
 *
 * The request line's slices point into the bytes that were parsed, which must outlive the request. The header section
 * is an object of its own, shared by all requests that repeat it byte for byte (see memo.h).
 * Not thread-safe: everything here belongs to the thread that runs the event loop.
 */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "http/header_section.h"

struct forwarded;

struct request {
    struct slice line; /* the request line as sent, without its CRLF */
    struct slice method;
    struct slice target;    /* as sent */
    struct slice authority; /* of an absolute-form target, in the place of Host; data is NULL otherwise */
    struct slice path;      /* raw: begins with "/", or is "*"; "/" when an absolute form has none */
    struct slice query;     /* without the "?"; empty when there is none */
    bool path_escaped;      /* path holds a percent escape (all of which were found well-formed) */
    bool is_head;
    uint8_t minor;                  /* HTTP/1.minor: 0, or 1 for all that are higher */
    struct header_section *section; /* a reference; NULL until the fields are parsed */
    /* The section's, when its sender is trusted. NULL where section->forwarding: those fields are not for the application. */
    const struct forwarded *forwarded;
    struct slice
        id; /* a trusted proxy's, or made; data is NULL where there is none. Lives as long as the exchange */
    bool answers_id; /* it stands in the answer too */
};

/* Whether the connection may stay open after the answer (RFC 9112 9.3). */
bool request_keep_alive(const struct request *request);

/* What is taken for Host: what a trusted proxy says it was, the target's authority (RFC 9112 3.2.2), or the field's value; data is
 * NULL when there is none. */
struct slice request_host(const struct request *request);

/* Whether the application may see a field of the section as it was sent: see http/forwarded.h. */
bool request_shows(const struct request *request, const struct field *field);

/* PATH_INFO: the path decoded, without `root` where it begins with that (a proxy may have taken it off already); empty for "*".
 * `room` is for path.size bytes, and used if the path is escaped. Of a request line that was accepted. */
struct slice request_path_info(const struct request *request, struct slice root, char *room);

/* Behind a request's name in the log: " (ID)", or nothing when it has none. Terminated; the size without that. */
enum { REQUEST_TAG_SIZE = REQUEST_ID_MAX + sizeof(" ()") };
size_t request_tag(const struct request *request, char out[REQUEST_TAG_SIZE]);

/* "GET /path (ID)", safe to log, in `out`. */
enum { REQUEST_NAME_SIZE = 400 };
const char *request_name(const struct request *request, char out[REQUEST_NAME_SIZE]);

/* Request ids: 128 random bits as hexadecimal digits. They are random and not counted, so that they do not tell how many
 * requests there are. Random bytes are fetched some at a time, so that an id costs no system call. Belongs to the thread
 * that runs the event loop. */
enum { REQUEST_ID_SIZE = 32 };
struct request_ids {
    uint8_t bytes[256]; /* as many as one getentropy(3) gives */
    size_t left;        /* unused bytes, counted from the end; a zeroed struct has none yet */
};
void request_id_make(struct request_ids *ids, char out[REQUEST_ID_SIZE]);

#endif
