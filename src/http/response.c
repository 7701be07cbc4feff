/*
 * A response head on its way out. Here it is put together; field.c knows what an application may say, status.c and
 * date.c hold the texts.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "http/response.h"
#include "http/token.h"

/* Room for all that response_finish adds: 17 + 37 + 38 + 28 + 24 + 2 at most. */
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

/* Where `room` more bytes can be put. */
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

/* Remembers what kinds of fields there are. *drop: the field is right, and yet is not to be sent. */
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
            break; /* the head is finished: what follows is a body */
        struct slice found = slice_next(&value, ':');
        if (slice_eq_nocase(found, name))
            return slice_trim(value);
    }
    return SLICE("");
}

/* Sets framing, length and keep_alive; true when a Content-Length is still to be said. */
static bool framing_decide(struct response *response, const struct request *request, bool known,
                           uint64_t size)
{
    bool bodiless = response->status == 204 || response->status == 304;
    bool add = known && !response->has_length;
    if (response->status ==
        205) { /* no content, but its framing must say so (RFC 9110 15.3.6, RFC 9112 6.3) */
        response->framing = RESPONSE_EMPTY;
        response->length = 0;
        return true;
    }
    if (add)
        response->length = size;
    if (bodiless || request->is_head) {
        response->framing = RESPONSE_EMPTY;
        /* An application that gives no body to HEAD has not said that GET would have none. */
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

/* Unless the application has said one. */
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
