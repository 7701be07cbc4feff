/* The answers that the worker gives itself. */
#include "app/worker_answers.h"

#include <string.h>

#include "base/scoreboard.h"
#include "net/loop.h"

struct health {
    struct slice status, text;
};

static const struct health alive = {SLICE("200 OK"), SLICE("alive\n")};
static const struct health ready = {SLICE("200 OK"), SLICE("ready\n")};
static const struct health draining = {SLICE("503 Service Unavailable"), SLICE("draining\n")};
static const struct health stalled = {SLICE("503 Service Unavailable"), SLICE("stalled\n")};
static const struct health saturated = {SLICE("503 Service Unavailable"), SLICE("saturated\n")};

static const struct health *find_health(const struct loop *loop, const struct request *request)
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

static bool health_answer(struct exchange *exchange)
{
    const struct health *found = find_health(exchange->conn->loop, &exchange->request);
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

static const struct slice failed_status = SLICE("500 Internal Server Error");
static const struct slice failed_heading =
    SLICE("What was saved last cannot be loaded; as soon as it can, it is served here.\n\n");

static bool failed_reload_answer(struct exchange *exchange)
{
    const struct loop *loop = exchange->conn->loop;
    static char text[SCOREBOARD_FAILED_RELOAD_SIZE]; /* only one thread at a time runs the loop */
    struct slice parts[] = {failed_heading, {text, 0}};
    if (loop->failed_reload == NULL ||
        !scoreboard_read_failed_reload(loop->failed_reload, loop->failed_reloads, text, &parts[1].size))
        return false;
    response_start(&exchange->response, failed_status);
    response_add(&exchange->response, SLICE("Content-Type"), SLICE("text/plain; charset=utf-8"));
    response_add(&exchange->response, SLICE("Cache-Control"), SLICE("no-store"));
    exchange_head(exchange, true, parts[0].size + parts[1].size);
    exchange_send(exchange, parts, 2);
    exchange_end(exchange);
    return true;
}

static bool answer_now(struct exchange *exchange)
{
    return health_answer(exchange) || failed_reload_answer(exchange);
}

void worker_answers_open(struct loop *loop, const struct scoreboard_failed_reload *failed_reload,
                         uint32_t failed_reloads)
{
    const struct options *options = loop->options;
    if (options->reload) {
        loop->failed_reload = failed_reload;
        loop->failed_reloads = failed_reloads;
    }
    if (options->reload || options->health_path != NULL)
        loop->answer_now = answer_now;
}
