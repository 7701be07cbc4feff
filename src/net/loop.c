/* The event loop of one worker. */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "net/conn.h"
#include "net/exchange.h"
#include "net/h1.h"

enum { KEPT_EXCHANGES = 1024, KEPT_CONNECTIONS = 1024, LINGER_MS = 2000, TRAILER_MAX = 8192 };

/* So many complete requests end a turn, though more sockets may be readable: what was parsed is still in the cache when it is
 * run. */
enum { READY_BATCH = 32 };

static void timed_out(struct timeout *timeout, enum timeout_class class)
{
    struct conn *conn = conn_of_timeout(timeout);
    conn->protocol->timed_out(conn, class);
}

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    /* One thread at a time by construction (the baton), so no locks; and the environment belongs to the application. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV);
    struct event_base *base = event_base_new_with_config(config);
    event_config_free(config);
    assert(base != NULL);
    event_base_priority_init(base, PRIORITIES);
    return base;
}

static void set_limits(struct loop *loop)
{
    const struct options *options = loop->options;
    loop->parser_limits = (struct parser_limits){
        .request_line = (size_t)options->limit_request_line,
        .fields = (size_t)options->limit_request_fields,
        .field_size = (size_t)options->limit_request_field_size,
        .head = (size_t)options->limit_request_head,
    };
    loop->body_limits = (struct body_limits){
        .size = (uint64_t)options->limit_request_body,
        .memory = (size_t)options->body_memory,
        .line = (size_t)options->limit_request_field_size,
        .trailer = TRAILER_MAX,
        .tmp_dir = options->tmp_dir,
    };
    loop->output_limits = (struct output_limits){
        .memory = (size_t)options->response_memory,
        .spool = (uint64_t)options->response_spool,
        .tmp_dir = options->tmp_dir,
    };
}

struct loop *loop_new(const struct options *options, const struct handler *handler, void *handler_context,
                      struct access_log *access_log, struct scoreboard_row *row)
{
    /* Without keep-alive, what idles is a client that has not sent its only request yet. */
    int64_t idle = options->keep_alive > 0 ? options->keep_alive : options->header_timeout;
    const uint64_t durations[TIMEOUT_CLASSES] = {
        [TIMEOUT_KEEP_ALIVE] = (uint64_t)idle,
        [TIMEOUT_HEADER] = (uint64_t)options->header_timeout,
        [TIMEOUT_BODY] = (uint64_t)options->body_timeout,
        [TIMEOUT_WRITE] = (uint64_t)options->write_timeout,
        [TIMEOUT_LINGER] = LINGER_MS,
    };
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->options = options;
    loop->handler = handler;
    loop->handler_context = handler_context;
    loop->access_log = access_log;
    loop->row = row;
    loop->base = base_new();
    loop->timeouts = timeouts_new(loop->base, durations, timed_out);
    loop->memo = memo_new();
    loop->scratch = xmalloc(LOOP_SCRATCH_SIZE);
    loop->ready_last = &loop->ready_first;
    loop->open_limit = (size_t)options->worker_connections;
    pool_init(&loop->exchanges, sizeof(struct exchange), KEPT_EXCHANGES);
    pool_init(&loop->connections, h1_protocol.size, KEPT_CONNECTIONS);
    set_limits(loop);
    return loop;
}

void loop_close_in_child(const struct loop *loop)
{
    for (const struct conn *conn = loop->open; conn != NULL; conn = conn->next_open)
        close(conn->fd);
}

void loop_free(struct loop *loop)
{
    while (loop->open != NULL)
        conn_hang_up(loop->open);
    timeouts_free(loop->timeouts);
    event_base_free(loop->base);
    memo_free(loop->memo);
    pool_fini(&loop->exchanges);
    pool_fini(&loop->connections);
    free(loop->scratch);
    free(loop);
}

static void settle(struct loop *loop)
{
    struct conn *conn = loop->settled;
    loop->settled = NULL;
    while (conn != NULL) {
        struct conn *next = conn->next_settled;
        conn_settle_now(conn);
        conn = next;
    }
}

void loop_broken(const char *what)
{
    log_critical(
        "the sockets can not be %s (%s): has the application closed descriptors that are not its own?", what,
        strerror(errno));
    _exit(1);
}

void loop_turn(struct loop *loop, bool wait)
{
    /* While it drains, the caller counts what is left, and what is settled now may be the last. */
    if (loop->draining && loop->settled != NULL)
        wait = false;
    settle(loop);
    if (loop->ready_first != NULL || loop->settled != NULL)
        wait = false;
    if (event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK) < 0)
        loop_broken("polled");
    scoreboard_add(loop->row->progress, 1);
}

struct exchange *loop_take_ready(struct loop *loop)
{
    struct exchange *exchange = loop->ready_first;
    if (exchange == NULL)
        return NULL;
    loop->ready_first = exchange->next_ready;
    if (loop->ready_first == NULL)
        loop->ready_last = &loop->ready_first;
    loop->ready_count--;
    return exchange;
}

void loop_add_ready(struct loop *loop, struct exchange *exchange)
{
    exchange->next_ready = NULL;
    *loop->ready_last = exchange;
    loop->ready_last = &exchange->next_ready;
    if (++loop->ready_count >= READY_BATCH)
        event_base_loopbreak(loop->base);
}

static void drain_idle(struct timeout *timeout)
{
    struct conn *conn = conn_of_timeout(timeout);
    conn->protocol->drain(conn);
}

void loop_drain(struct loop *loop)
{
    loop->draining = true;
    timeouts_each(loop->timeouts, TIMEOUT_KEEP_ALIVE, drain_idle);
}

struct slice loop_date_line(struct loop *loop)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return date_line(&loop->date, now.tv_sec);
}
