/*
 * The counters of an exchange. Each answer counts once, by its code, before the client has it. Each
 * refusal counts by its reason. The durations of the parts are counted.
 */
#include "net/exchange.h"

#include <inttypes.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fixture fixture;
static struct client client;

static void start(void)
{
    fixture_start(&fixture, "--limit-request-line 64 --limit-request-body 10");
    client_open_unix(&client, &fixture);
}

static void stop(void)
{
    client_close(&client);
    fixture_stop(&fixture);
}

static void ask(const char *request)
{
    client_say(&client, &fixture, request);
    client_await(&client, &fixture, client.size + 1, CLIENT_OPEN, 100);
}

static uint64_t answers(int code)
{
    return scoreboard_get(fixture.row.answers[code - SCOREBOARD_CODE_MIN]);
}

static uint64_t all_answers(void)
{
    uint64_t sum = 0;
    for (int code = SCOREBOARD_CODE_MIN; code <= SCOREBOARD_CODE_MAX; code++)
        sum += answers(code);
    return sum;
}

static const struct {
    const char *name, *request;
    int code;
    enum refusal refusal; /* REFUSALS: none */
} cases[] = {
    {"a whole answer", GET("/hello"), 200, REFUSALS},
    {"one in pieces", GET("/pieces"), 200, REFUSALS},
    {"one from a file", GET("/file"), 200, REFUSALS},
    {"an empty one", GET("/nothing"), 200, REFUSALS},
    {"one that may have no body", GET("/no-content"), 204, REFUSALS},
    {"one to HTTP/1.0, which the end of the connection ends", "GET /pieces HTTP/1.0\r\n\r\n", 200, REFUSALS},
    {"HEAD", "HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n", 200, REFUSALS},
    {"a failure", GET("/fail"), 500, REFUSALS},
    {"one that failed late has sent its status", GET("/fail-late"), 200, REFUSALS},
    {"one that is cut too", GET("/short"), 200, REFUSALS},
    {"one that nobody waits for", GET("/cut"), 499, REFUSALS},
    {"the handler's own", GET("/unknown"), 404, REFUSALS},
    {"nonsense", "nonsense\r\n\r\n", 400, REFUSAL_MALFORMED},
    {"a long request line", GET("/123456789012345678901234567890123456789012345678901234567890"), 414,
     REFUSAL_TOO_LARGE},
    {"a large body", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n", 413, REFUSAL_TOO_LARGE},
    {"an unknown version", "GET / HTTP/3.0\r\n\r\n", 505, REFUSAL_UNSUPPORTED},
    {"an unknown coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501,
     REFUSAL_UNSUPPORTED},
};

START_TEST(an_answer_is_counted_once_by_its_code)
{
    start();
    ask(cases[_i].request);
    ck_assert_msg(answers(cases[_i].code) == 1 && all_answers() == 1, "%s: %d", cases[_i].name,
                  (int)all_answers());
    for (int i = 0; i < REFUSALS; i++)
        ck_assert_msg(scoreboard_get(fixture.row.refused[i]) == (i == (int)cases[_i].refusal), "%s: %s",
                      cases[_i].name, refusal_name(i));
    stop();
}
END_TEST

static void look_before_the_end(struct fixture *f, struct exchange *exchange)
{
    (void)f, (void)exchange;
    ck_assert_uint_eq(all_answers(), 0);
}

/* The client has the whole answer before the handler and the loop have ended the exchange. */
static void look_after_the_end(struct fixture *f, struct exchange *exchange)
{
    look_before_the_end(f, exchange);
    exchange_flush(exchange);
    client_receive(&client);
    ck_assert_str_eq(client.got + client.size - 5, "0\r\n\r\n");
    ck_assert_uint_eq(answers(200), 1);
    ck_assert_uint_eq(scoreboard_get(fixture.row.requests), 0);
}

START_TEST(a_client_that_has_an_answer_finds_it_counted)
{
    start();
    fixture.pause = look_after_the_end;
    ask(GET("/pause/0"));
    ck_assert_uint_eq(all_answers(), 1);
    ck_assert_uint_eq(scoreboard_get(fixture.row.requests), 1);
    stop();
}
END_TEST

static const struct fixture_answer *last_answer(void)
{
    ck_assert_uint_gt(fixture.answer_count, 0);
    return &fixture.answers[fixture.answer_count - 1];
}

static void go(const char *request, bool wait)
{
    client_open_unix(&client, &fixture);
    ck_assert_int_gt(send(client.fd, request, strlen(request), 0), 0);
    for (int i = 0; wait && i < 6; i++)
        fixture_turn(&fixture);
    client_close(&client);
    fixture_await_open(&fixture, 0);
}

enum { BIG = 1000000 };

static const struct {
    const char *name, *request;
    bool waits; /* the client, until a part has been sent */
    int status;
} gone[] = {
    {"before anything was sent", GET("/hello"), false, 499},
    {"before anything of pieces was sent", GET("/pieces"), false, 499},
    {"before anything of a file was sent", GET("/file"), false, 499},
    {"before anything of a failure was sent", GET("/fail"), false, 499},
    {"before anything of a large answer was sent", GET("/big/1000000"), false, 499},
    {"while a large answer was sent", GET("/big/1000000"), true, 200},
};

/* The counters and the report of an answer agree. Only bytes that the kernel took count as sent. */
START_TEST(what_a_client_did_not_get_was_not_sent)
{
    start();
    client_say(&client, &fixture, GET("/big/1000000"));
    client_await(&client, &fixture, BIG + 20, CLIENT_OPEN, 5000);
    ck_assert_int_eq(last_answer()->status, 200);
    ck_assert_uint_eq(last_answer()->size, BIG);
    uint64_t head = client.size - BIG, before = scoreboard_get(fixture.row.sent);
    client_close(&client);
    fixture_await_open(&fixture, 0);

    go(gone[_i].request, gone[_i].waits);
    int status = last_answer()->status;
    uint64_t size = last_answer()->size;
    uint64_t sent = scoreboard_get(fixture.row.sent) - before;
    ck_assert_msg(status == gone[_i].status, "%s: %d", gone[_i].name, status);
    ck_assert_msg(size == (sent > head ? sent - head : 0) && size < BIG, "%s: %" PRIu64, gone[_i].name, size);
    ck_assert_uint_eq(answers(gone[_i].status), gone[_i].status == 200 ? 2 : 1);
    ck_assert_uint_eq(all_answers(), 2);
    fixture_stop(&fixture);
}
END_TEST

static void preempt(struct fixture *f, struct exchange *exchange)
{
    (void)f;
    ck_assert(exchange_preempt(exchange, 504));
}

START_TEST(an_answer_in_the_handlers_place_is_counted_in_its_place)
{
    start();
    fixture.pause = preempt;
    client_say(&client, &fixture, "GET /pause/0 HTTP/1.0\r\n\r\n"); /* "before" has been sent */
    client_await(&client, &fixture, 1, CLIENT_RESET, 200);
    ck_assert_uint_eq(answers(200), 1);
    ck_assert_uint_eq(all_answers(), 1);
    ck_assert_uint_eq(scoreboard_get(fixture.row.refused[REFUSAL_TIMEOUT]), 0);
    stop();
}
END_TEST

static struct histogram_copy copy_of(const struct histogram *histogram)
{
    struct histogram_copy copy = {.count = 0};
    histogram_read(histogram, &copy);
    return copy;
}

static void pause_a_moment(struct fixture *f, struct exchange *exchange)
{
    (void)f, (void)exchange;
    usleep(20000);
}

START_TEST(the_whole_takes_as_long_as_its_parts)
{
    start();
    client_say(&client, &fixture, "");
    ck_assert_int_gt(send(client.fd, GET("/pause/0"), strlen(GET("/pause/0")), 0), 0);
    loop_turn(fixture.loop, false);
    loop_turn(fixture.loop, false);
    struct exchange *exchange = loop_take_ready(fixture.loop);
    ck_assert_ptr_nonnull(exchange);
    usleep(20000);
    fixture.pause = pause_a_moment;
    exchange->begun_ns = clock_ns();
    fixture.loop->handler->run(&fixture, exchange);
    exchange->ended_ns = clock_ns();
    exchange_finish(exchange);
    struct histogram_copy request = copy_of(&fixture.row.request), queue = copy_of(&fixture.row.queue),
                          call = copy_of(&fixture.row.call);
    ck_assert_uint_eq(request.count, 1);
    ck_assert_uint_eq(queue.count, 1);
    ck_assert_uint_eq(call.count, 1);
    ck_assert_uint_ge(queue.sum, 20000000);
    ck_assert_uint_ge(call.sum, 20000000);
    ck_assert_uint_eq(request.sum, queue.sum + call.sum);
    stop();
}
END_TEST

START_TEST(a_refusal_has_neither_queue_nor_call)
{
    start();
    ask("nonsense\r\n\r\n");
    ck_assert_uint_eq(copy_of(&fixture.row.request).count, 1);
    ck_assert_uint_eq(copy_of(&fixture.row.queue).count, 0);
    ck_assert_uint_eq(copy_of(&fixture.row.call).count, 0);
    stop();
}
END_TEST

START_TEST(bytes_are_counted_as_they_pass)
{
    static const char *const requests[] = {GET("/hello"), GET("/pieces"), GET("/file"), GET("/big/3000000")};
    uint64_t sent = 0;
    start();
    for (size_t i = 0; i < UNIT_ROWS(requests); i++) {
        sent += strlen(requests[i]);
        ask(requests[i]);
    }
    client_await(&client, &fixture, 3000000, CLIENT_OPEN, 20000);
    ck_assert_uint_eq(scoreboard_get(fixture.row.received), sent);
    ck_assert_uint_eq(scoreboard_get(fixture.row.sent), client.size);
    stop();
}
END_TEST

static void assert_states(unsigned idle, unsigned reading, unsigned writing)
{
    ck_assert_uint_eq(scoreboard_get(fixture.row.connection_states[CONNECTION_IDLE]), idle);
    ck_assert_uint_eq(scoreboard_get(fixture.row.connection_states[CONNECTION_READING]), reading);
    ck_assert_uint_eq(scoreboard_get(fixture.row.connection_states[CONNECTION_WRITING]), writing);
}

START_TEST(connections_are_counted_by_what_they_are_at)
{
    start();
    assert_states(1, 0, 0);
    ask("GET /hel");
    assert_states(0, 1, 0);
    ask("lo HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_states(1, 0, 0);
    ask("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    assert_states(0, 1, 0);
    ask("67890");
    assert_states(1, 0, 0);
    client_say(&client, &fixture, GET("/big/3000000"));
    fixture_turn(&fixture);
    assert_states(0, 0, 1);
    client_await(&client, &fixture, 3000000, CLIENT_OPEN, 20000);
    assert_states(1, 0, 0);
    client_close(&client);
    fixture_await_open(&fixture, 0);
    assert_states(0, 0, 0);
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, an_answer_is_counted_once_by_its_code, cases);
    tcase_add_test(tests, a_client_that_has_an_answer_finds_it_counted);
    unit_add_rows(tests, what_a_client_did_not_get_was_not_sent, gone);
    tcase_add_test(tests, an_answer_in_the_handlers_place_is_counted_in_its_place);
    tcase_add_test(tests, the_whole_takes_as_long_as_its_parts);
    tcase_add_test(tests, a_refusal_has_neither_queue_nor_call);
    tcase_add_test(tests, bytes_are_counted_as_they_pass);
    tcase_add_test(tests, connections_are_counted_by_what_they_are_at);
}

int main(void)
{
    return unit_run("net/exchange_counters", add);
}
