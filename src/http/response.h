/*
 * A response head on its way out: status line and fields as bytes, and the framing of the body (RFC
 * 9110, 9112).
 *
 * Every text of the application is checked before it is stored: text that could split a response
 * never gets in. The order is fixed: response_init, response_start, response_add...,
 * response_finish. A second response_start (exc_info) begins anew. The head then is response->head,
 * with response->size bytes.
 *
 * Belongs to the thread that has the exchange.
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

/* Room for a head within the struct; a longer head moves to the heap. */
enum { RESPONSE_INLINE = 512, RESPONSE_HEAD_MAX = 256 * 1024 };

/* The kinds of response fields, by name. */
enum field_kind {
    FIELD_PLAIN,
    FIELD_CONTENT_LENGTH,
    FIELD_DATE,
    FIELD_SERVER,
    FIELD_PERSISTENCE, /* Connection: keep-alive, Keep-Alive: taken off; the server decides */
    FIELD_CLOSE,       /* Connection: close: taken off, and obeyed */
    /* An application must not send it: Transfer-Encoding, TE, ... (PEP 3333, RFC 9110 7.6.1). */
    FIELD_HOP_BY_HOP,
};

struct response {
    int status;                            /* 0 until response_start */
    enum response_framing framing;         /* after response_finish */
    bool has_length, has_date, has_server; /* the application gave the field */
    /* The application gave a field about the connection, which was taken off. */
    bool has_connection;
    bool closes;     /* it asked for the end of the connection */
    bool keep_alive; /* after response_finish */
    uint64_t length; /* Content-Length, given or known */
    char *head;      /* `buffer`, or the heap */
    size_t size, capacity;
    char buffer[RESPONSE_INLINE];
};

void response_init(struct response *response);
void response_fini(struct response *response);

/*
 * Begins, or begins again. `status` is PEP 3333's "200 OK": three digits, a space, a reason without
 * control characters. NULL, or the reason for refusing, as a sentence for the application's
 * developer. 1xx is refused too: the status must be final.
 */
const char *response_start(struct response *response, struct slice status);

/* Adds one field. Values are trimmed. NULL, or the reason for refusing. Refused are a name that is
 * empty or no token, control characters in a value, and hop-by-hop names. So are a malformed or
 * repeated Content-Length, and a head over RESPONSE_HEAD_MAX. Connection: close and keep-alive, and
 * Keep-Alive, are noted and not sent. */
const char *response_add(struct response *response, struct slice name, struct slice value);

/* The fast path behind response_add: adds "Name: value\r\n" of that kind, a line that has passed
 * response_field_check and response_field_format. `length` goes with FIELD_CONTENT_LENGTH. NULL, or
 * the reason (repeated Content-Length, too long). */
const char *response_add_line(struct response *response, struct slice line, enum field_kind kind,
                              uint64_t length);

/* Checks one field without storing it. Sets *kind, and *length for a Content-Length. NULL, or the
 * reason. */
const char *response_field_check(struct slice name, struct slice value, enum field_kind *kind,
                                 uint64_t *length);

/* The value of the first field of that name (in any case) in the head so far; empty without one. */
struct slice response_find(const struct response *response, struct slice name);

/* Writes "Name: value\r\n", with the value trimmed. response_field_check has accepted the field.
 * `out` has room for name, value and four bytes more. Returns the bytes written. */
size_t response_field_format(char *out, struct slice name, struct slice value);

/* True without control characters; HTAB counts as one (PEP 3333). */
bool field_text_is_plain(struct slice text);

/*
 * Decides the framing and ends the head. Adds Date and Server unless the application did;
 * Content-Length when `known` and the application gave none; Transfer-Encoding, Connection; and
 * X-Request-Id where the request asks for it.
 *
 * `keep_alive` is the server's wish. The result is in response->keep_alive: a body that the end of
 * the connection ends makes it false. With `known`, `size` is the size of the whole body. `date` is
 * date_line().
 */
void response_finish(struct response *response, const struct request *request, bool keep_alive, bool known,
                     uint64_t size, struct slice date);

/* Makes a whole error answer in response->head: the head, and a short text/plain body. It closes
 * the connection unless `keep_alive`. `request` is NULL when it could not be parsed: then the
 * answer is HTTP/1.1 and closes. */
void response_error(struct response *response, int status, const struct request *request, bool keep_alive,
                    struct slice date);

/* "Not Found"; "Unknown" for a status without a registered reason */
const char *status_reason(int status);

/* "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" (IMF-fixdate, RFC 9110 5.6.7), remade when `now` has
 * changed. The slice is in `cache`, until the next call. */
struct date_cache {
    time_t now;
    size_t size;
    char line[48];
};
struct slice date_line(struct date_cache *cache, time_t now);

/* The size line of a chunk, "1a2b\r\n" (RFC 9112 7.1). Returns its size, at most CHUNK_HEAD_MAX. */
enum { CHUNK_HEAD_MAX = 18 };
size_t chunk_head(char *out, uint64_t size);

#endif
