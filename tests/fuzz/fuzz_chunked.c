/*
 * Fuzz: a chunked body fed whole or in pieces gives the same bytes, the same status and the same end. The first byte is the
 * size of the pieces. Memory is short, so that the spool is used too.
 */
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "http/body.h"

static const struct body_limits limits = {
    .size = 4096, .memory = 256, .line = 64, .trailer = 256, .tmp_dir = "/tmp"};

struct result {
    int status;
    bool complete;
    size_t consumed;
    char bytes[4096];
};

static void decode(struct result *result, struct slice input, size_t step)
{
    static const struct header_section section = {.framing = FRAMING_CHUNKED};
    struct body body;
    *result = (struct result){.status = body_init(&body, &section, &limits)};
    while (result->status == 0 && !body.complete && input.size > 0) {
        struct slice piece = {input.data, step < input.size ? step : input.size};
        size_t size = piece.size;
        result->status = body_feed(&body, &piece);
        result->consumed += size - piece.size;
        input.data += size;
        input.size -= size;
    }
    result->complete = body.complete && result->status == 0;
    if (result->complete && body.content.spool >= 0 &&
        pread(body.content.spool, result->bytes, sizeof(result->bytes), 0) != (ssize_t)body.content.size)
        abort();
    if (result->complete && body.content.spool < 0 && body.content.size > 0)
        memcpy(result->bytes, body.content.memory, body.content.size);
    body_fini(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result whole, pieces;
    if (size < 2)
        return 0;
    struct slice input = {(const char *)data + 1, size - 1};
    decode(&whole, input, input.size);
    decode(&pieces, input, (data[0] & 31) + 1);
    if (memcmp(&whole, &pieces, sizeof(whole)) != 0 || whole.status == 503)
        abort();
    return 0;
}
