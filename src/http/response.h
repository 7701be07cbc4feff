/*
 * A response head on its way out: status line and fields as bytes, and how the body will be framed (RFC 9110, 9112).
 *
 * Everything the application says is checked before it is stored: what could split a response never gets in.
 * The order is fixed: response_init, response_start, response_add..., response_finish; response_start again (exc_info)
 * begins anew. The head then is response->head, response->size.
 */
#ifndef HTTP_RESPONSE_H
#define HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/slice.h"
#include "http/request.h"

enum response_framing {
    RESPONSE_EMPTY,   /* no body may follow: HEAD, 204, 205, 304 */
    RESPONSE_LENGTH,  /* Content-Length bytes */
    RESPONSE_CHUNKED, /* only to HTTP/1.1 */
    RESPONSE_CLOSE,   /* HTTP/1.0: the end of the connection is the end of the body */
};

/* Inline room for a head; longer ones move to the heap. */
enum { RESPONSE_INLINE = 512, RESPONSE_HEAD_MAX = 256 * 1024 };

/* What is known of a response field's name. */
enum field_kind {
    FIELD_PLAIN,
    FIELD_CONTENT_LENGTH,
    FIELD_DATE,
    FIELD_SERVER,
    FIELD_PERSISTENCE, /* Connection: keep-alive, Keep-Alive: the server's to say, and taken off */
    FIELD_CLOSE,       /* Connection: close: taken off, and obeyed */
    FIELD_HOP_BY_HOP, /* not an application's to send: Connection, Transfer-Encoding, ... (PEP 3333, RFC 9110 7.6.1) */
};

struct response {
    int status;                            /* 0 until response_start */
    enum response_framing framing;         /* after response_finish */
    bool has_length, has_date, has_server; /* the application gave the field */
    bool has_connection;                   /* it said of the connection what was taken off */
    bool closes;                           /* it asked for the connection's end */
    bool keep_alive;                       /* after response_finish */
    uint64_t length;                       /* Content-Length, given or known */
    char *head;                            /* `buffer`, or the heap */
    size_t size, capacity;
    char buffer[RESPONSE_INLINE];
};

void response_init(struct response *response);
void response_fini(struct response *response);

/*
 * Begins (again). `status` is PEP 3333's "200 OK": three digits, a space, a reason without control characters.
 * NULL, or the reason for refusing as a sentence for the application's developer; 1xx are refused too: a final answer is
 * asked for here.
 */
const char *response_start(struct response *response, struct slice status);

/* One field. NULL, or the reason for refusing: empty or non-token name, control characters in the value, a hop-by-hop name
 * (but Connection: close, keep-alive and Keep-Alive, which are noted and not sent),
 * a malformed or repeated Content-Length, a head over RESPONSE_HEAD_MAX. Values are trimmed. */
const char *response_add(struct response *response, struct slice name, struct slice value);

/* A line that response_field_check and response_field_format have passed before, "Name: value\r\n", of that kind; `length` goes
 * with FIELD_CONTENT_LENGTH. The fast path behind response_add. NULL, or the reason (repeated Content-Length, too long). */
const char *response_add_line(struct response *response, struct slice line, enum field_kind kind,
                              uint64_t length);

/* Checks one field without storing it; sets *kind, and *length for a Content-Length. NULL, or the reason. */
const char *response_field_check(struct slice name, struct slice value, enum field_kind *kind,
                                 uint64_t *length);

/* The value of the first field of that name (any case) in the head so far; empty when there is none. */
struct slice response_find(const struct response *response, struct slice name);

/* Writes "Name: value\r\n", the value trimmed, of a field that response_field_check let pass. `out` has room for both and
 * four bytes more; returns the bytes written. */
size_t response_field_format(char *out, struct slice name, struct slice value);

/* No control characters, HTAB included (PEP 3333). */
bool field_text_is_plain(struct slice text);

/*
 * Decides the framing and ends the head: adds Date and Server (unless the application did), Content-Length when `known`
 * and the application gave none, Transfer-Encoding, Connection, X-Request-Id where the request says so. `keep_alive` is what the server would like; the result
 * stands in response->keep_alive (a close-delimited body ends it).
 * `known`: `size` is the size of the whole body. `date` is date_line().
 */
void response_finish(struct response *response, const struct request *request, bool keep_alive, bool known,
                     uint64_t size, struct slice date);

/* The whole of an error answer, head and short text/plain body, in response->head. Closes unless keep_alive. `request` may
 * be NULL when it could not be parsed: then the answer is HTTP/1.1 and closes. */
void response_error(struct response *response, int status, const struct request *request, bool keep_alive,
                    struct slice date);

const char *status_reason(int status); /* "Not Found"; "Unknown" for one without a registered reason */

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (IMF-fixdate, RFC 9110 5.6.7), remade when `now` has changed. The slice lives in
 * `cache` until the next call. */
struct date_cache {
    time_t now;
    size_t size;
    char line[48];
};
struct slice date_line(struct date_cache *cache, time_t now);

/* A chunk's size line, "1a2b\r\n" (RFC 9112 7.1); returns its size, at most CHUNK_HEAD_MAX. */
enum { CHUNK_HEAD_MAX = 18 };
size_t chunk_head(char *out, uint64_t size);

#endif
