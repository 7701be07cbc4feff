/*
 * A request body on its way in. First come the places where its bytes are kept, then the chunked
 * decoder (RFC 9112 7.1). The decoder is a table: it refuses a byte that has no edge from the
 * state.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spool.h"
#include "http/body.h"
#include "http/token.h"

enum { FIRST_CAPACITY = 4096, EXTENSIONS_MAX = 16 * 1024 };

enum state {
    SIZE_FIRST, /* the first digit of a chunk size */
    SIZE,
    EXTENSION_FIRST, /* a name's first byte, after ";" */
    EXTENSION,
    VALUE_FIRST, /* after "=" */
    VALUE,
    QUOTED,
    QUOTED_PAIR, /* after a backslash */
    QUOTED_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* a trailer's first byte, or the CR of the last line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
    DONE,
    STATES
};

/* A size line has no white space. RFC 9112 calls the white space that it permits there bad, and no
 * client sends it. */
static const struct edge {
    uint8_t class; /* taken for a byte of this class, */
    char byte;     /* or for this byte, which is never NUL */
    uint8_t next;
} edges[STATES][4] = {
    [SIZE_FIRST] = {{CHAR_HEX, 0, SIZE}},
    [SIZE] = {{CHAR_HEX, 0, SIZE}, {0, '\r', SIZE_LF}, {0, ';', EXTENSION_FIRST}},
    [EXTENSION_FIRST] = {{CHAR_TOKEN, 0, EXTENSION}},
    [EXTENSION] = {{CHAR_TOKEN, 0, EXTENSION},
                   {0, '=', VALUE_FIRST},
                   {0, '\r', SIZE_LF},
                   {0, ';', EXTENSION_FIRST}},
    [VALUE_FIRST] = {{CHAR_TOKEN, 0, VALUE}, {0, '"', QUOTED}},
    [VALUE] = {{CHAR_TOKEN, 0, VALUE}, {0, '\r', SIZE_LF}, {0, ';', EXTENSION_FIRST}},
    [QUOTED] = {{0, '"', QUOTED_END}, {0, '\\', QUOTED_PAIR}, {CHAR_VALUE, 0, QUOTED}},
    [QUOTED_PAIR] = {{CHAR_VALUE, 0, QUOTED}},
    [QUOTED_END] = {{0, '\r', SIZE_LF}, {0, ';', EXTENSION_FIRST}},
    [SIZE_LF] = {{0, '\n', DATA}},
    [DATA_CR] = {{0, '\r', DATA_LF}},
    [DATA_LF] = {{0, '\n', SIZE_FIRST}},
    [TRAILER_FIRST] = {{CHAR_TOKEN, 0, TRAILER_NAME}, {0, '\r', LAST_LF}},
    [TRAILER_NAME] = {{CHAR_TOKEN, 0, TRAILER_NAME}, {0, ':', TRAILER_VALUE}},
    [TRAILER_VALUE] = {{CHAR_VALUE, 0, TRAILER_VALUE}, {0, '\r', TRAILER_LF}},
    [TRAILER_LF] = {{0, '\n', TRAILER_FIRST}},
    [LAST_LF] = {{0, '\n', DONE}},
};

void body_none(struct body *body)
{
    body->framing = FRAMING_NONE;
    body->content = (struct body_content){.spool = -1};
}

int body_init(struct body *body, const struct header_section *section, const struct body_limits *limits)
{
    *body = (struct body){
        .limits = limits,
        .content = {.spool = -1},
        .framing = section->framing,
        .state = SIZE_FIRST,
        .complete = section->framing == FRAMING_NONE,
    };
    if (section->framing != FRAMING_LENGTH)
        return 0;
    body->remaining = section->content_length;
    body->complete = body->remaining == 0;
    return body->remaining > limits->size ? 413 : 0;
}

void body_restore(struct body *body, const struct header_section *section, struct body_content content)
{
    *body = (struct body){.content = content, .framing = section->framing, .complete = true};
}

static int spool_put(struct body *body, const char *data, size_t size, uint64_t offset)
{
    struct body_content *content = &body->content;
    content->budget = body->limits->budget;
    if (spool_reserve(content->budget, &content->reserved, offset + size) < 0) {
        body->error = errno;
        return 503;
    }
    if (body->content.spool < 0)
        body->content.spool = spool_open(body->limits->tmp_dir);
    if (body->content.spool < 0 || spool_write(body->content.spool, (off_t)offset, data, size) != 0) {
        body->error = errno;
        return 503;
    }
    return 0;
}

/* Moves the bytes in memory to the spool. */
static int flush(struct body *body)
{
    int status = spool_put(body, body->content.memory, body->held, body->content.size - body->held);
    body->held = 0;
    return status;
}

static void grow(struct body *body)
{
    size_t capacity = body->capacity == 0 ? FIRST_CAPACITY : 2 * body->capacity;
    size_t most = body->limits->memory;
    if (body->framing == FRAMING_LENGTH && body->remaining < most - body->held)
        most = body->held + (size_t)body->remaining; /* no more than the body needs */
    body->capacity = capacity < most ? capacity : most;
    body->content.memory = xrealloc(body->content.memory, body->capacity);
}

/* Memory fills up first. Then it is the buffer in front of the spool, so that chunks of one byte do
 * not cost a write each. */
static int store(struct body *body, const char *data, size_t size)
{
    while (size > 0) {
        size_t take = size;
        int status = 0;
        if (body->content.spool >= 0 && body->held == 0 && size >= body->capacity) {
            status = spool_put(body, data, size, body->content.size);
        } else if (body->held < body->capacity) {
            take = size < body->capacity - body->held ? size : body->capacity - body->held;
            memcpy(body->content.memory + body->held, data, take);
            body->held += take;
        } else {
            take = 0;
            if (body->capacity < body->limits->memory && body->content.spool < 0)
                grow(body);
            else
                status = flush(body);
        }
        if (status != 0)
            return status;
        body->content.size += take;
        body->remaining -= take;
        data += take;
        size -= take;
    }
    return 0;
}

static int finish(struct body *body)
{
    if (body->content.spool >= 0) {
        int status = flush(body);
        if (status != 0)
            return status;
        free(body->content.memory);
        body->content.memory = NULL;
    }
    body->complete = true;
    return 0;
}

/* Takes the rest of the content, or of the chunk, from `input`. */
static int data_feed(struct body *body, struct slice *input)
{
    size_t size = input->size < body->remaining ? input->size : (size_t)body->remaining;
    int status = store(body, input->data, size);
    input->data += size;
    input->size -= size;
    return status;
}

/* The size line is whole. */
static int chunk_begin(struct body *body)
{
    body->line_size = 0;
    body->state = body->remaining == 0 ? TRAILER_FIRST : DATA;
    return body->remaining > body->limits->size - body->content.size ? 413 : 0;
}

static int limits_check(struct body *body)
{
    bool trailer = body->state >= TRAILER_FIRST;
    if (trailer && ++body->trailer_size > body->limits->trailer)
        return 431;
    if (body->state == DATA_CR || body->state == DATA_LF)
        return 0;
    /* Many short chunks with long extensions would be much to read for a small body
     * (CVE-2024-22019). */
    bool extension = body->state >= EXTENSION_FIRST && body->state <= QUOTED_END;
    if (extension && ++body->extension_size > EXTENSIONS_MAX)
        return 400;
    if (++body->line_size > body->limits->line + 2) /* the line end does not count */
        return trailer ? 431 : 400;
    return 0;
}

static int byte_feed(struct body *body, unsigned char c)
{
    int status = limits_check(body);
    if (status != 0)
        return status;

    const struct edge *edge = edges[body->state], *end = edge + sizeof(edges[0]) / sizeof(edges[0][0]);
    while (edge < end && !char_is(c, edge->class) && !(edge->byte != 0 && edge->byte == (char)c))
        edge++;
    if (edge == end)
        return 400;
    body->state = edge->next;
    if (edge->next == DATA)
        return chunk_begin(body);
    if (edge->next == SIZE) {
        if (body->remaining > (uint64_t)INT64_MAX >> 4)
            return 400;
        body->remaining = body->remaining << 4 | (uint64_t)hex_value(c);
    } else if (edge->next == TRAILER_FIRST) {
        body->line_size = 0;
    }
    return edge->next == DONE ? finish(body) : 0;
}

static int chunked_feed(struct body *body, struct slice *input)
{
    int status = 0;
    while (input->size > 0 && !body->complete && status == 0) {
        if (body->state == DATA) {
            status = data_feed(body, input);
            if (body->remaining == 0)
                body->state = DATA_CR;
        } else {
            status = byte_feed(body, (unsigned char)*input->data);
            input->data++;
            input->size--;
        }
    }
    return status;
}

int body_feed(struct body *body, struct slice *input)
{
    if (body->complete)
        return 0;
    if (body->framing == FRAMING_CHUNKED)
        return chunked_feed(body, input);
    int status = data_feed(body, input);
    return status == 0 && body->remaining == 0 ? finish(body) : status;
}

struct body_content body_take(struct body *body)
{
    struct body_content content = body->content;
    body->content = (struct body_content){.size = content.size, .spool = -1};
    return content;
}

static void release(struct body_content *content)
{
    free(content->memory);
    if (content->spool >= 0)
        close(content->spool);
    spool_release(content->budget, &content->reserved);
    *content = (struct body_content){.spool = -1};
}

/* Most requests have no body. */
void body_content_free(struct body_content *content)
{
    if (content->memory != NULL || content->spool >= 0 || content->reserved > 0)
        release(content);
}

void body_fini(struct body *body)
{
    body_content_free(&body->content);
}
