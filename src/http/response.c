/* A response head on its way out: the small texts, the fields that an application may set, and the
 * head itself. */
#include "http/response.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/timestamp.h"
#include "http/token.h"

/* The registered status codes (RFC 9110 15, and the IANA registry). */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {507, "Insufficient Storage"},
    {511, "Network Authentication Required"},
};

const char *status_reason(int status)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (reasons[i].status == status)
            return reasons[i].reason;
    }
    return "Unknown";
}

struct slice date_line(struct date_cache *cache, time_t now)
{
    /* Not strftime: the application may have set a locale. */
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    if (cache->size == 0 || cache->now != now) {
        struct tm tm;
        gmtime_r(&now, &tm);
        int size = snprintf(cache->line, sizeof(cache->line), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                            days[tm.tm_wday], tm.tm_mday, timestamp_month(tm.tm_mon),
                            (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
        cache->size = (size_t)size < sizeof(cache->line) ? (size_t)size : sizeof(cache->line) - 1;
        cache->now = now;
    }
    return (struct slice){cache->line, cache->size};
}

size_t chunk_head(char *out, uint64_t size)
{
    size_t digits = size == 0 ? 1 : (67 - (size_t)__builtin_clzll(size)) / 4;
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[size & 15];
        size >>= 4;
    }
    memcpy(out + digits, "\r\n", 2);
    return digits + 2;
}

static const struct {
    struct slice name;
    enum field_kind kind;
} known_fields[] = {
    {SLICE("Content-Length"), FIELD_CONTENT_LENGTH},
    {SLICE("Date"), FIELD_DATE},
    {SLICE("Server"), FIELD_SERVER},
    {SLICE("Connection"), FIELD_PERSISTENCE}, /* or another kind: see connection_kind */
    {SLICE("Keep-Alive"), FIELD_PERSISTENCE},
    {SLICE("Proxy-Authenticate"), FIELD_HOP_BY_HOP},
    {SLICE("Proxy-Authorization"), FIELD_HOP_BY_HOP},
    {SLICE("Proxy-Connection"), FIELD_HOP_BY_HOP},
    {SLICE("TE"), FIELD_HOP_BY_HOP},
    {SLICE("Trailer"), FIELD_HOP_BY_HOP},
    {SLICE("Trailers"), FIELD_HOP_BY_HOP}, /* spelt so in PEP 3333's list */
    {SLICE("Transfer-Encoding"), FIELD_HOP_BY_HOP},
    {SLICE("Upgrade"), FIELD_HOP_BY_HOP},
};

static enum field_kind field_kind_of(struct slice name)
{
    for (size_t i = 0; i < sizeof(known_fields) / sizeof(known_fields[0]); i++) {
        if (known_fields[i].name.size == name.size && slice_eq_nocase(known_fields[i].name, name))
            return known_fields[i].kind;
    }
    return FIELD_PLAIN;
}

/* The kind of a Connection field. Many applications set an option for this connection alone; each
 * tutorial on server-sent events does. Other options announce fields of the connection (RFC 9110
 * 7.6.1), which belong to the server. */
static enum field_kind connection_kind(struct slice value)
{
    enum field_kind kind = FIELD_PERSISTENCE;
    while (value.data != NULL) {
        struct slice option = slice_next(&value, ',');
        if (slice_eq_nocase(option, SLICE("close")))
            kind = FIELD_CLOSE;
        else if (option.size > 0 && !slice_eq_nocase(option, SLICE("keep-alive")))
            return FIELD_HOP_BY_HOP;
    }
    return kind;
}

bool field_text_is_plain(struct slice text)
{
    return value_span(text) == text.size && (text.size == 0 || memchr(text.data, '\t', text.size) == NULL);
}

const char *response_field_check(struct slice name, struct slice value, enum field_kind *kind,
                                 uint64_t *length)
{
    if (!slice_is_token(name))
        return "a header name must consist of letters, digits and !#$%&'*+-.^_`|~";
    if (!field_text_is_plain(value))
        return "a header value must not hold control characters";
    *kind = field_kind_of(name);
    if (*kind == FIELD_PERSISTENCE && slice_eq_nocase(name, SLICE("Connection")))
        *kind = connection_kind(value);
    if (*kind == FIELD_HOP_BY_HOP)
        return "hop-by-hop headers belong to the server, not to the application";
    if (*kind == FIELD_CONTENT_LENGTH &&
        (slice_to_uint64(slice_trim(value), length) != 0 || *length > INT64_MAX))
        return "Content-Length must be a decimal number";
    return NULL;
}

size_t response_field_format(char *out, struct slice name, struct slice value)
{
    value = slice_trim(value);
    memcpy(out, name.data, name.size);
    memcpy(out + name.size, ": ", 2);
    if (value.size > 0)
        memcpy(out + name.size + 2, value.data, value.size);
    memcpy(out + name.size + 2 + value.size, "\r\n", 2);
    return name.size + value.size + 4;
}

/* Room for everything that response_finish adds: 17 + 37 + 38 + 28 + 24 + 2 at most. */
enum { TAIL_MAX = 160 };

static const struct slice server_line = SLICE("Server: gateway\r\n");
static const struct slice chunked_line = SLICE("Transfer-Encoding: chunked\r\n");
static const struct slice close_line = SLICE("Connection: close\r\n");
static const struct slice keep_alive_line = SLICE("Connection: keep-alive\r\n");
static const struct slice line_end = SLICE("\r\n");

static const char too_long[] = "the response head is too long";

void response_init(struct response *response)
{
    response->status = 0;
    response->framing = RESPONSE_EMPTY;
    response->has_length = response->has_date = response->has_server = response->keep_alive = false;
    response->has_connection = response->closes = false;
    response->length = 0;
    response->size = 0;
    response->capacity = RESPONSE_INLINE;
    response->head = response->buffer;
}

void response_fini(struct response *response)
{
    if (response->head != response->buffer)
        free(response->head);
    response->head = NULL;
}

static void __attribute__((cold)) grow(struct response *response, size_t need)
{
    bool inlined = response->head == response->buffer;
    response->capacity = need > 2 * response->capacity ? need : 2 * response->capacity;
    response->head = xrealloc(inlined ? NULL : response->head, response->capacity);
    if (inlined)
        memcpy(response->head, response->buffer, response->size);
}

/* Returns a place for `room` more bytes. */
static char *reserve(struct response *response, size_t room)
{
    size_t need = response->size + room;
    if (need > response->capacity)
        grow(response, need);
    return response->head + response->size;
}

static char *put(char *out, struct slice s)
{
    memcpy(out, s.data, s.size);
    return out + s.size;
}

static char *put_number(char *out, uint64_t value)
{
    char digits[20];
    size_t start = sizeof(digits);
    do {
        digits[--start] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return put(out, (struct slice){digits + start, sizeof(digits) - start});
}

static bool fits(const struct response *response, size_t size)
{
    return size <= RESPONSE_HEAD_MAX && response->size + size <= RESPONSE_HEAD_MAX - TAIL_MAX;
}

const char *response_start(struct response *response, struct slice status)
{
    if (status.size < 4 || !slice_all((struct slice){status.data, 3}, CHAR_DIGIT) || status.data[3] != ' ')
        return "the status must be three digits, a space and a reason";
    if (status.data[0] < '2')
        return "the status must be a final one, from 200 on";
    if (!field_text_is_plain(status))
        return "the status must not hold control characters";

    response->size = 0;
    if (!fits(response, status.size + 11))
        return too_long;
    char *out = put(reserve(response, status.size + 11), SLICE("HTTP/1.1 "));
    put(put(out, status), line_end);
    response->size = status.size + 11;
    response->status = (status.data[0] - '0') * 100 + (status.data[1] - '0') * 10 + (status.data[2] - '0');
    response->has_length = response->has_date = response->has_server = false;
    response->has_connection = response->closes = false;
    return NULL;
}

/* Notes the kinds of the fields. *drop: the field is valid but is not sent. */
static const char *kind_note(struct response *response, enum field_kind kind, uint64_t length, bool *drop)
{
    *drop = false;
    if (kind == FIELD_PLAIN)
        return NULL;
    if (kind == FIELD_CONTENT_LENGTH) {
        if (response->has_length)
            return "Content-Length must not be repeated";
        response->has_length = true;
        response->length = length;
        *drop = response->status == 204 || response->status == 205; /* RFC 9110 8.6, 15.3.6 */
    } else if (kind == FIELD_DATE) {
        response->has_date = true;
    } else if (kind == FIELD_SERVER) {
        response->has_server = true;
    } else {
        response->has_connection = *drop = true;
        response->closes = response->closes || kind == FIELD_CLOSE;
    }
    return NULL;
}

const char *response_add(struct response *response, struct slice name, struct slice value)
{
    enum field_kind kind;
    uint64_t length = 0;
    bool drop;
    const char *refusal = response_field_check(name, value, &kind, &length);
    size_t room = name.size + value.size + 4;
    if (refusal == NULL && !fits(response, room))
        refusal = too_long;
    if (refusal == NULL)
        refusal = kind_note(response, kind, length, &drop);
    if (refusal == NULL && !drop)
        response->size += response_field_format(reserve(response, room), name, value);
    return refusal;
}

const char *response_add_line(struct response *response, struct slice line, enum field_kind kind,
                              uint64_t length)
{
    bool drop;
    if (!fits(response, line.size))
        return too_long;
    const char *refusal = kind_note(response, kind, length, &drop);
    if (refusal == NULL && !drop) {
        put(reserve(response, line.size), line);
        response->size += line.size;
    }
    return refusal;
}

struct slice response_find(const struct response *response, struct slice name)
{
    struct slice rest = {response->head, response->size};
    slice_next(&rest, '\n'); /* the status line */
    while (rest.data != NULL) {
        struct slice value = slice_next(&rest, '\n');
        if (value.size > 0 && value.data[value.size - 1] == '\r')
            value.size--;
        if (value.size == 0)
            break; /* the head is finished: a body follows */
        struct slice found = slice_next(&value, ':');
        if (slice_eq_nocase(found, name))
            return slice_trim(value);
    }
    return SLICE("");
}

/* Sets framing, length and keep_alive. True when a Content-Length has to be added. */
static bool framing_decide(struct response *response, const struct request *request, bool known,
                           uint64_t size)
{
    bool bodiless = response->status == 204 || response->status == 304;
    bool add = known && !response->has_length;
    if (response->status ==
        205) { /* no content, and the framing must say so (RFC 9110 15.3.6, RFC 9112 6.3) */
        response->framing = RESPONSE_EMPTY;
        response->length = 0;
        return true;
    }
    if (add)
        response->length = size;
    if (bodiless || request->is_head) {
        response->framing = RESPONSE_EMPTY;
        /* An application that gives no body to HEAD does not say that GET has none. */
        return add && !bodiless && size > 0;
    }
    if (known || response->has_length) {
        response->framing = RESPONSE_LENGTH;
        return add;
    }
    response->framing = request->minor >= 1 ? RESPONSE_CHUNKED : RESPONSE_CLOSE;
    if (response->framing == RESPONSE_CLOSE)
        response->keep_alive = false;
    return false;
}

/* Adds the request's id, unless the application has set one. */
static void add_id(struct response *response, struct slice id)
{
    static const struct slice name = SLICE("X-Request-Id");
    if (response_find(response, name).size == 0)
        response_add(response, name, id);
}

void response_finish(struct response *response, const struct request *request, bool keep_alive, bool known,
                     uint64_t size, struct slice date)
{
    if (request->answers_id)
        add_id(response, request->id);
    response->keep_alive = keep_alive && !response->closes && request_keep_alive(request);
    bool add_length = framing_decide(response, request, known, size);
    char *out = reserve(response, TAIL_MAX);
    if (!response->has_server)
        out = put(out, server_line);
    if (!response->has_date)
        out = put(out, date);
    if (add_length)
        out = put(put_number(put(out, SLICE("Content-Length: ")), response->length), line_end);
    if (response->framing == RESPONSE_CHUNKED)
        out = put(out, chunked_line);
    if (!response->keep_alive)
        out = put(out, close_line);
    else if (request->minor == 0)
        out = put(out, keep_alive_line);
    out = put(out, line_end);
    response->size = (size_t)(out - response->head);
}

void response_error(struct response *response, int status, const struct request *request, bool keep_alive,
                    struct slice date)
{
    static const struct request unknown = {.minor = 1};
    char text[64];
    int size = snprintf(text, sizeof(text), "%d %s\n", status, status_reason(status));
    struct slice body = {text, (size_t)size};
    if (request == NULL)
        request = &unknown;

    response_start(response, (struct slice){body.data, body.size - 1});
    response_add(response, SLICE("Content-Type"), SLICE("text/plain"));
    if (status == 503)
        response_add(response, SLICE("Retry-After"), SLICE("1"));
    response_finish(response, request, keep_alive, true, body.size, date);
    if (response->framing == RESPONSE_LENGTH) {
        put(reserve(response, body.size), body);
        response->size += body.size;
    }
}
