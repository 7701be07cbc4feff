/* --reload: the answer while what was saved last cannot be loaded. */
#include "app/failed_reload.h"

#include "app/health.h"
#include "base/scoreboard.h"
#include "net/loop.h"

static const struct slice status = SLICE("500 Internal Server Error");
static const struct slice heading =
    SLICE("What was saved last cannot be loaded; as soon as it can, it is served here.\n\n");

bool failed_reload_answer(struct exchange *exchange)
{
    const struct loop *loop = exchange->conn->loop;
    static char text[SCOREBOARD_FAILED_RELOAD_SIZE]; /* one thread at a time runs the loop */
    struct slice parts[] = {heading, {text, 0}};
    if (loop->failed_reload == NULL ||
        !scoreboard_read_failed_reload(loop->failed_reload, loop->failed_reloads, text, &parts[1].size))
        return false;
    response_start(&exchange->response, status);
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

void failed_reload_open(struct loop *loop, const struct scoreboard_failed_reload *failed_reload,
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
