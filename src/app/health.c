/* The answers for those who watch over the service. */
#include "app/health.h"

#include <string.h>

#include "net/loop.h"

struct health_answer {
    struct slice status, text;
};

static const struct health_answer alive = {SLICE("200 OK"), SLICE("alive\n")};
static const struct health_answer ready = {SLICE("200 OK"), SLICE("ready\n")};
static const struct health_answer draining = {SLICE("503 Service Unavailable"), SLICE("draining\n")};
static const struct health_answer stalled = {SLICE("503 Service Unavailable"), SLICE("stalled\n")};
static const struct health_answer saturated = {SLICE("503 Service Unavailable"), SLICE("saturated\n")};

static const struct health_answer *find_answer(const struct loop *loop, const struct request *request)
{
    const char *prefix = loop->options->health_path;
    if (prefix == NULL)
        return NULL;
    size_t size = strlen(prefix);
    struct slice path = request->path;
    if (path.size <= size || memcmp(path.data, prefix, size) != 0 ||
        !(request->is_head || slice_eq(request->method, SLICE("GET"))))
        return NULL;
    struct slice rest = {path.data + size, path.size - size};
    if (slice_eq(rest, SLICE("/live")))
        return &alive;
    if (!slice_eq(rest, SLICE("/ready")))
        return NULL;
    if (loop->draining || loop->unready)
        return &draining;
    if (scoreboard_get(loop->row->stalled) != 0)
        return &stalled;
    return loop_is_saturated(loop) ? &saturated : &ready;
}

bool health_answer(struct exchange *exchange)
{
    const struct health_answer *found = find_answer(exchange->conn->loop, &exchange->request);
    if (found == NULL)
        return false;
    response_start(&exchange->response, found->status);
    response_add(&exchange->response, SLICE("Content-Type"), SLICE("text/plain"));
    response_add(&exchange->response, SLICE("Cache-Control"), SLICE("no-store"));
    exchange_head(exchange, true, found->text.size);
    exchange_send(exchange, &found->text, 1);
    exchange_end(exchange);
    return true;
}
