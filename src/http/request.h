/*
 * A request as parsed: the request line, and the header section. The fields are slices; nothing is
 * allocated per field.
 *
 * The slices of the request line point into the bytes that were parsed, which must outlive the
 * request. The header section is an object of its own. All requests that repeat it byte for byte
 * share it (http/memo.h).
 *
 * Belongs to the thread that runs the event loop, and to the thread of the handler while that has
 * the exchange.
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
    struct slice authority; /* of an absolute-form target; replaces Host; data is NULL otherwise */
    struct slice path;      /* raw: begins with "/", or is "*"; "/" when an absolute form has no path */
    struct slice query;     /* without the "?"; empty when there is none */
    bool path_escaped;      /* the path holds percent escapes, all of them well-formed */
    bool is_head;
    uint8_t minor;                  /* HTTP/1.minor: 0, or 1 for all higher ones */
    struct header_section *section; /* a reference; NULL until the fields are parsed */
    /* The section's, when its sender is trusted. NULL with section->forwarding: the application
     * must not see those fields. */
    const struct forwarded *forwarded;
    /* A trusted proxy's, or made here; data is NULL without one. Lives as long as the
         * exchange. */
    struct slice id;
    bool answers_id; /* the answer has the id too */
};

/* Whether the connection may stay open after the answer (RFC 9112 9.3). */
bool request_keep_alive(const struct request *request);

/* The host that counts: a trusted proxy's, the target's authority (RFC 9112 3.2.2), or the field's
 * value. data is NULL without one. */
struct slice request_host(const struct request *request);

/* Whether the application may see a field of the section as it was sent (http/forwarded.h). */
bool request_shows(const struct request *request, const struct field *field);

/* PATH_INFO: the decoded path without `root`, where the path begins with it (a proxy may have
 * removed it). Empty for "*". `room` has path.size bytes; an escaped path is decoded there. The
 * request line must have been accepted. */
struct slice request_path_info(const struct request *request, struct slice root, char *room);

/* The tag after a request's name in the log: " (ID)", or nothing without an id. Ends with a NUL.
 * Returns its size without that. */
enum { REQUEST_TAG_SIZE = REQUEST_ID_MAX + sizeof(" ()") };
size_t request_tag(const struct request *request, char out[REQUEST_TAG_SIZE]);

/* "GET /path (ID)" in `out`, safe to log. */
enum { REQUEST_NAME_SIZE = 400 };
const char *request_name(const struct request *request, char out[REQUEST_NAME_SIZE]);

/* Request ids: 128 random bits as hexadecimal digits. They are random and not counted, so that they
 * do not tell how many requests there are. Random bytes are fetched some at a time, so that an id
 * costs no system call. Belongs to the thread that runs the event loop. */
enum { REQUEST_ID_SIZE = 32 };
struct request_ids {
    uint8_t bytes[256]; /* as many as one getentropy(3) gives */
    size_t left;        /* unused bytes, counted from the end; a zeroed struct has none yet */
};
void request_id_make(struct request_ids *ids, char out[REQUEST_ID_SIZE]);

#endif
