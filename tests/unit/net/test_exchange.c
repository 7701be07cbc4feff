/*
 * An exchange as its handler sees it: the results of sends, the counters, the log.
 */
#include "net/exchange.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net_fixture.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define HEAD(path) "HEAD " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fixture fixture;
static struct client client;
static char log_path[] = "/tmp/test_exchange-XXXXXX";

static void start(const char *options)
{
    char line[256];
    close(mkstemp(log_path));
    snprintf(line, sizeof(line), "--error-logfile %s %s", log_path, options);
    fixture_start(&fixture, line);
    client_open_unix(&client, &fixture);
}

static void stop(void)
{
    client_close(&client);
    fixture_stop(&fixture);
    unlink(log_path);
}

static void ask(const char *request)
{
    size_t before = client.size;
    client_say(&client, &fixture, request);
    client_await(&client, &fixture, before, CLIENT_OPEN, 100);
}

static const struct {
    const char *name, *request, *log; /* log: a part of the record; NULL: nothing is logged */
    bool sent_all;
} cases[] = {
    {"a plain answer", GET("/hello"), NULL, true},
    {"HEAD takes what GET would send", HEAD("/hello"), NULL, true},
    {"HEAD takes blocks", HEAD("/pieces"), NULL, true},
    {"204 wants no more", GET("/no-content"), NULL, true},
    {"too long: wants no more, and is told with the request", GET("/long"),
     "GET /long HTTP/1.1: the application sent more than its Content-Length of 5; the rest is cut", true},
    {"too short: told with the request", GET("/short"),
     "GET /short HTTP/1.1: the application sent 5 bytes of its Content-Length of 10; the connection is "
     "closed",
     true},
    {"HEAD is neither too long", HEAD("/long"), NULL, true},
    {"nor too short", HEAD("/short"), NULL, true},
    {"a file that became shorter is told", GET("/file-short"),
     "a file became shorter while it was being sent", false},
    {"what a client sent is escaped in the log", "GET /long?\"\\x HTTP/1.1\r\nHost: a\r\n\r\n",
     "GET /long?\\\"\\\\x HTTP/1.1: the application sent more", true},
};

START_TEST(the_handler_is_told_and_the_log_too)
{
    char text[4096] = "";
    start("");
    ask(cases[_i].request);
    int fd = open(log_path, O_RDONLY);
    ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
    close(fd);
    ck_assert_msg(fixture.sent_all == cases[_i].sent_all, "%s", cases[_i].name);
    if (cases[_i].log == NULL)
        ck_assert_str_eq(text, "");
    else
        ck_assert_msg(strstr(text, cases[_i].log) != NULL && strchr(text, '\n') == strrchr(text, '\n'),
                      "%s: %s", cases[_i].name, text);
    stop();
}
END_TEST

static const struct {
    const char *name, *request;
} counted[] = {
    {"an answer", GET("/hello")}, {"a failure", GET("/fail")},    {"a late failure", GET("/fail-late")},
    {"a cut", GET("/cut")},       {"a short one", GET("/short")}, {"a refusal", "nonsense\r\n\r\n"},
};

START_TEST(each_way_to_end_counts_once)
{
    start("");
    ask(counted[_i].request);
    ck_assert_msg(scoreboard_get(fixture.row.requests) == 1, "%s: %d", counted[_i].name,
                  (int)scoreboard_get(fixture.row.requests));
    stop();
}
END_TEST

/* Beyond EXCHANGE_INLINE the line is on the heap. */
START_TEST(a_request_line_of_any_size_is_kept)
{
    char request[4096], path[4000];
    start("");
    for (size_t size = EXCHANGE_INLINE - 24; size < EXCHANGE_INLINE + 4; size++) {
        size_t before = client.size;
        memset(path, 'x', size);
        path[size] = '\0';
        snprintf(request, sizeof(request), GET("/hello?%s"), path);
        ask(request);
        ck_assert_ptr_nonnull(memmem(client.got + before, client.size - before, "hello", 5));
    }
    memset(path, 'x', 3900);
    path[3900] = '\0';
    snprintf(request, sizeof(request), GET("/hello?%s"), path);
    size_t before = client.size;
    ask(request);
    ck_assert_ptr_nonnull(memmem(client.got + before, client.size - before, "hello", 5));
    stop();
}
END_TEST

static void flush_twice(struct fixture *f, struct exchange *exchange)
{
    (void)f;
    exchange_flush(exchange);
    exchange_flush(exchange);
    ck_assert(exchange->final_sent);
    client_receive(&client);
    ck_assert_str_eq(client.got + client.size - 5, "0\r\n\r\n");
}

/* The client has the whole before the application's close() runs. */
START_TEST(a_flush_ends_the_body_once)
{
    start("");
    fixture.pause = flush_twice;
    client_say(&client, &fixture, GET("/pause/0"));
    stop();
}
END_TEST

static struct exchange *ready_exchange(const char *request)
{
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    ck_assert_int_gt(send(client.fd, request, strlen(request), 0), 0);
    while (fixture.loop->ready_count == 0)
        loop_turn(fixture.loop, true);
    return loop_take_ready(fixture.loop);
}

static void finish_and_stop(struct exchange *exchange)
{
    exchange_finish(exchange);
    client_close(&client);
    fixture_await_open(&fixture, 0);
    fixture_stop(&fixture);
}

static int send_some(struct exchange *exchange)
{
    const struct slice chunk = SLICE("some");
    return exchange_send(exchange, &chunk, 1);
}

START_TEST(one_that_is_preempted_is_answered_in_the_handlers_place)
{
    struct exchange *exchange = ready_exchange(GET("/hello"));
    response_start(&exchange->response, SLICE("200 OK"));
    ck_assert(exchange_preempt(exchange, 504));
    ck_assert(!exchange_preempt(exchange, 504));
    exchange_head(exchange, false, 0);
    ck_assert_int_eq(send_some(exchange), -1);
    exchange_end(exchange);
    client_await(&client, &fixture, 1, CLIENT_ENDED, 20000);
    ck_assert_ptr_nonnull(strstr(client.got, "HTTP/1.1 504 Gateway Timeout\r\n"));
    ck_assert_ptr_null(strstr(client.got, "200 OK"));
    ck_assert_ptr_null(strstr(client.got, "some"));
    finish_and_stop(exchange);
}
END_TEST

static const struct {
    const char *name, *request;
    bool known;
    enum client_end end;
} begun[] = {
    {"chunks tell", GET("/hello"), false, CLIENT_ENDED},
    {"Content-Length tells", GET("/hello"), true, CLIENT_ENDED},
    {"Content-Length tells HTTP/1.0", "GET /hello HTTP/1.0\r\n\r\n", true, CLIENT_ENDED},
    {"nothing tells", "GET /hello HTTP/1.0\r\n\r\n", false, CLIENT_RESET},
};

/* The connection is gone before the call returns. Later output of the call reaches no client. */
START_TEST(one_that_is_preempted_after_its_head_is_cut)
{
    struct exchange *exchange = ready_exchange(begun[_i].request);
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, begun[_i].known, 10);
    ck_assert_int_eq(send_some(exchange), 0);
    ck_assert(exchange_preempt(exchange, 504));
    ck_assert_int_eq(send_some(exchange), -1);
    client_await(&client, &fixture, 0, begun[_i].end, 20000);
    ck_assert_msg(client.end == begun[_i].end, "%s: %d", begun[_i].name, client.end);
    if (begun[_i].end == CLIENT_ENDED)
        ck_assert_ptr_nonnull(strstr(client.got, "some"));
    shutdown(client.fd, SHUT_WR);
    fixture_await_open(&fixture, 0);
    ck_assert_uint_eq(fixture.loop->lasting, 1);
    ck_assert(!exchange_is_full(exchange));
    ck_assert_int_eq(exchange_wait(exchange), -1);
    exchange_cut(exchange);
    finish_and_stop(exchange);
}
END_TEST

START_TEST(one_whose_answer_has_left_is_not_cut)
{
    struct exchange *exchange = ready_exchange(GET("/hello"));
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, true, 4);
    ck_assert_int_eq(send_some(exchange), 0);
    ck_assert(exchange_preempt(exchange, 504));
    ck_assert_int_eq(exchange->late_status, 0);
    client_await(&client, &fixture, 1, CLIENT_OPEN, 100);
    ck_assert_int_eq(client.end, CLIENT_OPEN);
    ck_assert_ptr_nonnull(strstr(client.got, "200 OK"));
    ck_assert_ptr_nonnull(strstr(client.got, "\r\n\r\nsome"));
    size_t before = client.size;
    client_say(&client, &fixture, GET("/hello"));
    client_await(&client, &fixture, before + 90, CLIENT_OPEN, 1000);
    ck_assert_ptr_nonnull(strstr(client.got + before, "hello"));
    exchange_end(exchange);
    finish_and_stop(exchange);
}
END_TEST

/* The end of the connection ends the answer. It comes in order, and not as a reset, which would
 * destroy output on its way. */
START_TEST(one_whose_answer_ends_with_the_connection_is_not_reset)
{
    struct exchange *exchange = ready_exchange("GET /hello HTTP/1.0\r\n\r\n");
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    ck_assert_int_eq(send_some(exchange), 0);
    exchange_flush(exchange);
    ck_assert(exchange_preempt(exchange, 504));
    client_await(&client, &fixture, 0, CLIENT_ENDED, 20000);
    ck_assert_int_eq(client.end, CLIENT_ENDED);
    ck_assert_ptr_nonnull(strstr(client.got, "\r\n\r\nsome"));
    ck_assert_uint_eq(scoreboard_get(fixture.row.answers[200 - SCOREBOARD_CODE_MIN]), 1);
    exchange_end(exchange);
    finish_and_stop(exchange);
}
END_TEST

START_TEST(one_that_has_ended_cannot_be_preempted)
{
    struct exchange *exchange = ready_exchange(GET("/hello"));
    exchange_fail(exchange, 500, true);
    ck_assert(!exchange_preempt(exchange, 504));
    ck_assert_int_eq(exchange->late_status, 0);
    client_await(&client, &fixture, 1, CLIENT_OPEN, 20000);
    ck_assert_ptr_nonnull(strstr(client.got, "500 Internal"));
    finish_and_stop(exchange);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_handler_is_told_and_the_log_too, cases);
    unit_add_rows(tests, each_way_to_end_counts_once, counted);
    tcase_add_test(tests, a_request_line_of_any_size_is_kept);
    tcase_add_test(tests, a_flush_ends_the_body_once);
    tcase_add_test(tests, one_that_is_preempted_is_answered_in_the_handlers_place);
    unit_add_rows(tests, one_that_is_preempted_after_its_head_is_cut, begun);
    tcase_add_test(tests, one_whose_answer_has_left_is_not_cut);
    tcase_add_test(tests, one_whose_answer_ends_with_the_connection_is_not_reset);
    tcase_add_test(tests, one_that_has_ended_cannot_be_preempted);
}

int main(void)
{
    return unit_run("net/exchange", add);
}
