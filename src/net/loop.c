/* The event loop of one worker. */
#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/standard_fds.h"
#include "net/conn.h"
#include "net/exchange.h"
#include "net/h1.h"
#include "net/handover.h"
#include "net/presence.h"

enum { REPORT_MS = 10000, PART_LOOK_MS = 20 };
enum { KEPT_EXCHANGES = 1024, KEPT_CONNECTIONS = 1024, LINGER_MS = 2000, LAST_MS = 500, TRAILER_MAX = 8192 };

/* This many complete requests end a turn, even if more sockets are readable. Parsed requests are
 * then still in the cache when they run. */
enum { READY_BATCH = 32 };

static void timed_out(struct timeout *timeout, enum timeout_class class)
{
    struct conn *conn = conn_of_timeout(timeout);
    conn->protocol->timed_out(conn, class);
}

static struct event_base *base_new(void)
{
    struct event_config *config = event_config_new();
    /* The baton lets one thread at a time use the base, so it needs no locks. The environment
     * belongs to the application. */
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

void loop_set_spool_budget(struct loop *loop, const struct spool_budget *budget)
{
    loop->body_limits.budget = budget;
    loop->output_limits.budget = budget;
}

/* The options have checked the lists. */
static void set_trusted(struct loop *loop)
{
    char wrong[1];
    if (loop->options->forwarded_allow_ips != NULL)
        networks_parse(&loop->trusted, loop->options->forwarded_allow_ips, wrong, sizeof(wrong));
    if (loop->options->forwarded_headers != NULL)
        forwarded_fields_parse(&loop->believed, loop->options->forwarded_headers, wrong, sizeof(wrong));
}

/* Finishes the oldest first. */
void loop_finish_listed(struct loop *loop)
{
    struct exchange *newest = atomic_exchange_explicit(&loop->finished_list, NULL, memory_order_acquire);
    struct exchange *oldest = NULL;
    while (newest != NULL) {
        struct exchange *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest != NULL) {
        struct exchange *next = oldest->next;
        exchange_finish(oldest);
        oldest = next;
    }
}

static void woken(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct loop *loop = arg;
    eventfd_t count;
    eventfd_read(fd, &count);
    loop_finish_listed(loop);
    event_base_loopbreak(loop->base);
}

void loop_watch(struct event *event)
{
    if (event_add(event, NULL) < 0)
        loop_broken("watched");
}

static void open_wake(struct loop *loop)
{
    loop->wake_fd = fd_above_standard(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (loop->wake_fd < 0)
        loop_broken("woken");
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST, woken, loop);
    event_priority_set(loop->wake, PRIORITY_FIRST);
    loop_watch(loop->wake);
}

void loop_wake(struct loop *loop)
{
    if (eventfd_write(loop->wake_fd, 1) < 0 && errno == EBADF)
        loop_broken("woken");
}

void loop_finish_later(struct loop *loop, struct exchange *exchange)
{
    struct exchange *before = atomic_load_explicit(&loop->finished_list, memory_order_relaxed);
    do
        exchange->next = before;
    while (!atomic_compare_exchange_weak_explicit(&loop->finished_list, &before, exchange,
                                                  memory_order_release, memory_order_relaxed));
    loop_wake(loop);
}

bool loop_is_saturated(const struct loop *loop)
{
    return scoreboard_is_saturated(loop->row, clock_ms());
}

static void queue_timer_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *loop = arg;
    event_base_loopbreak(loop->base);
}

static void look_whether_to_part(evutil_socket_t fd, short what, void *arg);

struct loop *loop_new(const struct options *options, const struct handler *handler,
                      struct scoreboard_row *row)
{
    /* Without keep-alive, an idle connection has come from a worker with keep-alive. */
    int64_t idle = options->keep_alive > 0 ? options->keep_alive : options->header_timeout;
    const uint64_t durations[TIMEOUT_CLASSES] = {
        [TIMEOUT_KEEP_ALIVE] = (uint64_t)idle,
        [TIMEOUT_SILENT] = (uint64_t)options->header_timeout,
        [TIMEOUT_HEADER] = (uint64_t)options->header_timeout,
        [TIMEOUT_BODY] = (uint64_t)options->body_timeout,
        [TIMEOUT_WRITE] = (uint64_t)options->write_timeout,
        [TIMEOUT_LAST] = LAST_MS,
        [TIMEOUT_LINGER] = LINGER_MS,
    };
    struct loop *loop = xcalloc(1, sizeof(*loop));
    loop->options = options;
    loop->handler = handler;
    loop->row = row;
    loop->base = base_new();
    loop->timeouts = timeouts_new(loop->base, durations, timed_out);
    loop->memo = memo_new();
    loop->scratch = xmalloc(LOOP_SCRATCH_SIZE);
    loop->open_limit = (size_t)options->worker_connections;
    pool_init(&loop->exchanges, sizeof(struct exchange), KEPT_EXCHANGES);
    pool_init(&loop->connections, h1_protocol.size, KEPT_CONNECTIONS);
    set_limits(loop);
    set_trusted(loop);
    open_wake(loop);
    loop->queue_timer = evtimer_new(loop->base, queue_timer_fired, loop);
    event_priority_set(loop->queue_timer, PRIORITY_FIRST);
    loop->part_timer = evtimer_new(loop->base, look_whether_to_part, loop);
    event_priority_set(loop->part_timer, PRIORITY_FIRST);
    return loop;
}

void loop_close_in_child(const struct loop *loop)
{
    for (const struct conn *conn = loop->open; conn != NULL; conn = conn->next_open)
        close(conn->fd);
}

size_t loop_count_unfinished(const struct loop *loop)
{
    size_t count = 0;
    for (const struct conn *conn = loop->open; conn != NULL; conn = conn->next_open)
        count += conn->protocol->unfinished(conn);
    return count;
}

void loop_abandon(struct loop *loop)
{
    loop_finish_listed(loop);
    for (struct conn *conn = loop->open; conn != NULL; conn = conn->next_open)
        conn_abandon(conn);
    exchange_record_lasting(loop);
}

void loop_free(struct loop *loop)
{
    while (loop->open != NULL)
        conn_hang_up(loop->open);
    timeouts_free(loop->timeouts);
    event_free(loop->wake);
    event_free(loop->queue_timer);
    event_free(loop->part_timer);
    close(loop->wake_fd);
    event_base_free(loop->base);
    memo_free(loop->memo);
    networks_free(&loop->trusted);
    forwarded_fields_free(&loop->believed);
    pool_fini(&loop->exchanges);
    pool_fini(&loop->connections);
    free(loop->scratch);
    free(loop);
}

static void run_deferred(struct loop *loop)
{
    struct conn *conn = loop->deferred;
    loop->deferred = NULL;
    while (conn != NULL) {
        struct conn *next = conn->next_deferred;
        conn_run_deferred(conn);
        conn = next;
    }
}

void loop_broken(const char *what)
{
    int error = errno;
    log_restore(); /* its descriptor may have been closed with the others */
    errno = error;
    log_critical(
        "the sockets cannot be %s (%s): has the application closed descriptors that are not its own?", what,
        strerror(errno));
    _exit(1);
}

/* Reports the first refusal, and then a count from time to time. */
static void report_refused(struct loop *loop, uint64_t now)
{
    if (loop->refused == 0 || (loop->reported_ms != 0 && now - loop->reported_ms < REPORT_MS))
        return;
    log_warning("%zu request%s waited longer than --queue-timeout for a thread and %s answered 503",
                loop->refused, loop->refused == 1 ? "" : "s", loop->refused == 1 ? "was" : "were");
    loop->refused = 0;
    loop->reported_ms = now;
}

void loop_drop_ready(struct loop *loop, struct exchange *exchange)
{
    if (!loop_has_ready(loop, exchange))
        return;
    loop_remove_ready(loop, exchange);
    exchange_cut(exchange);
    exchange_finish(exchange);
}

static bool is_given_up(struct loop *loop, struct exchange *exchange)
{
    if (exchange->presence != PRESENCE_UNSURE || !presence_give_up(exchange))
        return false;
    loop_drop_ready(loop, exchange);
    return true;
}

/* Answers the oldest request with 503. False when its client is gone. */
static bool refuse_first(struct loop *loop, uint64_t now)
{
    struct exchange *exchange = loop->ready_first;
    if (is_given_up(loop, exchange))
        return false;
    loop_remove_ready(loop, exchange);
    scoreboard_add(loop->row->refused[REFUSAL_NO_THREAD], 1);
    scoreboard_set(loop->row->refused_ms, now);
    exchange_fail(exchange, 503, true);
    exchange_finish(exchange);
    return true;
}

/* In ms. The coarse clock may be behind the clock that stamped the request. */
static uint64_t has_waited(const struct exchange *exchange)
{
    return (clock_ns() - exchange->ready_ns) / 1000000;
}

static void refuse_overdue(struct loop *loop)
{
    uint64_t limit = (uint64_t)loop->options->queue_timeout, now = clock_ms();
    if (limit == 0)
        return;
    while (loop->ready_first != NULL && has_waited(loop->ready_first) >= limit)
        loop->refused += refuse_first(loop, now);
    report_refused(loop, now);
}

void loop_refuse_ready(struct loop *loop)
{
    uint64_t now = clock_ms();
    scoreboard_set(loop->row->refused_ms, now);
    while (loop->ready_first != NULL)
        refuse_first(loop, now);
}

/* Only a thread that waits beside ready requests needs a timer: all others come back at once. */
static void arm_queue_timer(struct loop *loop)
{
    uint64_t limit = (uint64_t)loop->options->queue_timeout;
    if (limit == 0 || loop->ready_first == NULL || event_pending(loop->queue_timer, EV_TIMEOUT, NULL))
        return;
    uint64_t waited = has_waited(loop->ready_first);
    uint64_t left = waited < limit ? limit - waited + 1 : 1;
    struct timeval tv = clock_timeval(left);
    event_add(loop->queue_timer, &tv);
}

uint64_t loop_now(struct loop *loop)
{
    if (loop->now_ns == 0)
        loop->now_ns = clock_ns();
    return loop->now_ns;
}

static void run_turn(struct loop *loop, bool wait)
{
    loop->now_ns = 0;
    if (loop->ready_first != NULL)
        refuse_overdue(loop);
    size_t ready = loop->ready_count;
    /* At the end the caller counts what is left, and the connection that is deferred now may be the
     * last. */
    if ((loop->draining || loop->retiring) && loop->deferred != NULL)
        wait = false;
    run_deferred(loop);
    if (loop->ready_count > ready || loop->deferred != NULL)
        wait = false;
    if (wait)
        loop->now_ns = 0;
    if (event_base_loop(loop->base, wait ? EVLOOP_ONCE : EVLOOP_NONBLOCK) < 0)
        loop_broken("polled");
    scoreboard_add(loop->row->progress, 1);
}

void loop_turn(struct loop *loop, bool wait)
{
    run_turn(loop, wait && loop->ready_count == 0);
}

void loop_turn_beside(struct loop *loop)
{
    arm_queue_timer(loop);
    if (loop->handover != NULL && loop->ready_first != NULL)
        handover_ship(loop->handover);
    run_turn(loop, true);
}

struct exchange *loop_take_ready(struct loop *loop)
{
    struct exchange *exchange;
    do
        exchange = loop->ready_first;
    while (exchange != NULL && is_given_up(loop, exchange));
    if (exchange != NULL)
        loop_remove_ready(loop, exchange);
    return exchange;
}

bool loop_has_ready(const struct loop *loop, const struct exchange *exchange)
{
    return exchange->previous != NULL || loop->ready_first == exchange;
}

void loop_remove_ready(struct loop *loop, struct exchange *exchange)
{
    if (exchange->previous != NULL)
        exchange->previous->next = exchange->next;
    else
        loop->ready_first = exchange->next;
    if (exchange->next != NULL)
        exchange->next->previous = exchange->previous;
    else
        loop->ready_last = exchange->previous;
    exchange->previous = NULL;
    scoreboard_set(loop->row->ready, (uint32_t)--loop->ready_count);
}

/* The oldest comes first. A request from another worker may have waited there. */
void loop_add_ready(struct loop *loop, struct exchange *exchange)
{
    struct exchange *before = loop->ready_last;
    while (before != NULL && before->ready_ns > exchange->ready_ns)
        before = before->previous;
    exchange->previous = before;
    exchange->next = before != NULL ? before->next : loop->ready_first;
    if (exchange->next != NULL)
        exchange->next->previous = exchange;
    else
        loop->ready_last = exchange;
    if (before != NULL)
        before->next = exchange;
    else
        loop->ready_first = exchange;
    scoreboard_set(loop->row->ready, (uint32_t)++loop->ready_count);
    if (loop->ready_count >= READY_BATCH)
        event_base_loopbreak(loop->base);
}

void loop_watch_ready(struct loop *loop, uint64_t waited_ms)
{
    struct exchange *exchange = loop->ready_last, *older;
    for (; exchange != NULL; exchange = older) {
        older = exchange->previous;
        if (exchange->presence == PRESENCE_ASSUMED && has_waited(exchange) >= waited_ms &&
            presence_watch(exchange))
            loop_drop_ready(loop, exchange);
    }
}

static bool close_oldest(struct loop *loop, enum timeout_class class)
{
    struct timeout *oldest;
    while ((oldest = timeouts_oldest(loop->timeouts, class)) != NULL) {
        struct conn *conn = conn_of_timeout(oldest);
        if (conn->protocol->give_way(conn))
            return true;
    }
    return false;
}

bool loop_make_room(struct loop *loop)
{
    return close_oldest(loop, TIMEOUT_KEEP_ALIVE) || close_oldest(loop, TIMEOUT_SILENT);
}

/* Only at the limit: the place of an idle connection is no descriptor for a worker that lacks them
 * all. */
void loop_offer_idle(struct loop *loop)
{
    if (loop->open_count >= loop->open_limit && loop->on_room != NULL)
        loop->on_room(loop->on_room_context);
}

static void drain_idle(struct timeout *timeout)
{
    struct conn *conn = conn_of_timeout(timeout);
    conn->protocol->drain(conn);
}

static void drain_all_idle(struct loop *loop)
{
    timeouts_each(loop->timeouts, TIMEOUT_KEEP_ALIVE, drain_idle);
    timeouts_each(loop->timeouts, TIMEOUT_SILENT, drain_idle);
    timeouts_each(loop->timeouts, TIMEOUT_HEADER, drain_idle);
}

static bool has_unfinished(const struct loop *loop)
{
    return loop->ready_count > 0 || loop_count_unfinished(loop) > 0;
}

/* An idle client was not told to ask elsewhere, so its connection ends last. Requests that have
 * arrived on it are read before. */
static void look_whether_to_part(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    static const struct timeval again = {.tv_usec = PART_LOOK_MS * 1000};
    struct loop *loop = arg;
    if (loop->parting)
        return;
    if (!has_unfinished(loop))
        drain_all_idle(loop);
    if (has_unfinished(loop)) {
        event_add(loop->part_timer, &again);
        return;
    }
    loop->parting = true;
    drain_all_idle(loop);
}

void loop_drain(struct loop *loop)
{
    loop->draining = true;
    look_whether_to_part(-1, 0, loop);
}
