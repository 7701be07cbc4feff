/*
 * The event loop of a worker: the ready list is in order, the loop waits only when there is nothing to do.
 */
#include "net/loop.h"

#include <sys/socket.h>

#include "net_fixture.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fixture fixture;

START_TEST(the_limits_are_those_of_the_options)
{
    fixture_start(&fixture,
                  "--limit-request-line 100 --limit-request-fields 7 --limit-request-field_size 200 "
                  "--limit-request-head 3k --limit-request-body 5000 --body-memory 2k --response-memory 8k "
                  "--response-spool 9k --tmp-dir /nonexistent --worker-connections 11");
    const struct loop *loop = fixture.loop;
    ck_assert_uint_eq(loop->parser_limits.request_line, 100);
    ck_assert_uint_eq(loop->parser_limits.fields, 7);
    ck_assert_uint_eq(loop->parser_limits.field_size, 200);
    ck_assert_uint_eq(loop->parser_limits.head, 3 * 1024);
    ck_assert_uint_eq(loop->body_limits.size, 5000);
    ck_assert_uint_eq(loop->body_limits.memory, 2 * 1024);
    ck_assert_uint_eq(loop->body_limits.line, 200);
    ck_assert_str_eq(loop->body_limits.tmp_dir, "/nonexistent");
    ck_assert_uint_eq(loop->output_limits.memory, 8 * 1024);
    ck_assert_uint_eq(loop->output_limits.spool, 9 * 1024);
    ck_assert_str_eq(loop->output_limits.tmp_dir, "/nonexistent");
    ck_assert_uint_eq(loop->open_limit, 11);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(requests_are_ready_in_the_order_of_their_completion)
{
    enum { CLIENTS = 4 };
    struct client clients[CLIENTS];
    fixture_start(&fixture, "");
    ck_assert_ptr_null(loop_take_ready(fixture.loop));
    for (int i = 0; i < CLIENTS; i++)
        client_open_unix(&clients[i], &fixture);
    for (int i = 0; i < CLIENTS; i++) {
        ck_assert_int_gt(send(clients[CLIENTS - 1 - i].fd, HELLO, strlen(HELLO), 0), 0);
        loop_turn(fixture.loop, false);
        loop_turn(fixture.loop, false);
    }
    ck_assert_uint_eq(fixture.loop->ready_count, CLIENTS);
    struct conn *before = NULL;
    for (int i = 0; i < CLIENTS; i++) {
        struct exchange *exchange = loop_take_ready(fixture.loop);
        ck_assert_ptr_nonnull(exchange);
        ck_assert_ptr_ne(exchange->conn, before);
        before = exchange->conn;
        fixture.loop->handler->run(&fixture, exchange);
        client_receive(&clients[CLIENTS - 1 - i]);
        ck_assert_uint_gt(clients[CLIENTS - 1 - i].size, 0);
    }
    ck_assert_ptr_null(loop_take_ready(fixture.loop));
    ck_assert_uint_eq(fixture.loop->ready_count, 0);
    for (int i = 0; i < CLIENTS; i++)
        client_close(&clients[i]);
    fixture_stop(&fixture);
}
END_TEST

/* Nothing will ever happen: waiting would be for ever, and Check's alarm would end it. */
START_TEST(it_does_not_wait_while_something_is_settled_or_ready)
{
    struct client client;
    fixture_start(&fixture, "--keep-alive 24h");
    client_open_unix(&client, &fixture);
    client_say(&client, &fixture, HELLO HELLO);
    ck_assert_ptr_nonnull(fixture.loop->settled);
    loop_turn(fixture.loop, true);
    ck_assert_uint_eq(fixture.loop->ready_count, 1);
    loop_turn(fixture.loop, true);
    ck_assert_uint_eq(fixture.loop->ready_count, 1);
    fixture_turn(&fixture);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(every_turn_is_progress)
{
    fixture_start(&fixture, "");
    loop_turn(fixture.loop, false);
    loop_turn(fixture.loop, false);
    ck_assert_uint_eq(scoreboard_get(fixture.row.progress), 2);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(the_date_is_that_of_today)
{
    char expected[64];
    fixture_start(&fixture, "");
    time_t before = time(NULL);
    struct slice line = loop_date_line(fixture.loop);
    time_t found = fixture.loop->date.now;
    strftime(expected, sizeof(expected), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", gmtime(&found));
    ck_assert_int_le(labs((long)(found - before)), 1);
    unit_assert_bytes("the date", line.data, line.size, expected, strlen(expected));
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, the_limits_are_those_of_the_options);
    tcase_add_test(tests, requests_are_ready_in_the_order_of_their_completion);
    tcase_add_test(tests, it_does_not_wait_while_something_is_settled_or_ready);
    tcase_add_test(tests, every_turn_is_progress);
    tcase_add_test(tests, the_date_is_that_of_today);
}

int main(void)
{
    return unit_run("net/loop", add);
}
