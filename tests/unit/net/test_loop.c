/*
 * The event loop of a worker: the ready list is in order, and the loop waits only when there is
 * nothing to do.
 */
#include "net/loop.h"

#include <event2/event.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

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
        exchange_finish(exchange);
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

/* The one of three that is taken off the list and comes back, as from another worker. */
static const int removals[] = {0, 1, 2};

START_TEST(the_request_that_has_waited_longest_comes_first)
{
    enum { CLIENTS = 3 };
    struct client clients[CLIENTS];
    struct exchange *exchanges[CLIENTS];
    fixture_start(&fixture, "");
    for (int i = 0; i < CLIENTS; i++) {
        client_open_unix(&clients[i], &fixture);
        ck_assert_int_gt(send(clients[i].fd, HELLO, strlen(HELLO), 0), 0);
        while (fixture.loop->ready_count == (size_t)i)
            loop_turn(fixture.loop, false);
    }
    exchanges[0] = fixture.loop->ready_first;
    exchanges[1] = exchanges[0]->next;
    exchanges[2] = exchanges[1]->next;
    struct exchange *removed = exchanges[removals[_i]];
    loop_remove_ready(fixture.loop, removed);
    ck_assert_uint_eq(fixture.loop->ready_count, 2);
    ck_assert_uint_eq(scoreboard_get(fixture.row.ready), 2);
    loop_add_ready(fixture.loop, removed);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_ptr_eq(loop_take_ready(fixture.loop), exchanges[i]);
    ck_assert_ptr_null(loop_take_ready(fixture.loop));
    for (int i = 0; i < CLIENTS; i++) {
        exchange_cut(exchanges[i]);
        exchange_finish(exchanges[i]);
        client_close(&clients[i]);
    }
    fixture_stop(&fixture);
}
END_TEST

/* No event will come: a wait would last until Check's alarm ends it. */
START_TEST(it_does_not_wait_while_something_is_settled_or_ready)
{
    struct client client;
    fixture_start(&fixture, "--keep-alive 24h");
    client_open_unix(&client, &fixture);
    client_say(&client, &fixture, HELLO HELLO);
    ck_assert_ptr_nonnull(fixture.loop->deferred);
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

static void *post(void *arg)
{
    usleep(20000);
    loop_finish_later(fixture.loop, arg);
    return NULL;
}

/* The handler in another thread has ended the exchange while the loop sleeps. */
START_TEST(what_another_thread_has_finished_wakes_the_loop_and_is_finished)
{
    struct client client;
    pthread_t thread;
    fixture_start(&fixture, "--keep-alive 24h");
    client_open_unix(&client, &fixture);
    ck_assert_int_gt(send(client.fd, HELLO HELLO, 2 * strlen(HELLO), 0), 0);
    for (uint64_t i = 1; i <= 2; i++) {
        while (fixture.loop->ready_count == 0)
            loop_turn(fixture.loop, true);
        struct exchange *exchange = loop_take_ready(fixture.loop);
        fixture.loop->handler->run(&fixture, exchange);
        ck_assert_int_eq(pthread_create(&thread, NULL, post, exchange), 0);
        while (scoreboard_get(fixture.row.requests) < i)
            loop_turn(fixture.loop, true);
        pthread_join(thread, NULL);
    }
    client_close(&client);
    fixture_await_open(&fixture, 0);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(it_waits_beside_ready_requests_when_no_thread_can_run_them)
{
    struct client client;
    fixture_start(&fixture, "--keep-alive 24h");
    client_open_unix(&client, &fixture);
    ck_assert_int_gt(send(client.fd, HELLO, strlen(HELLO), 0), 0);
    while (fixture.loop->ready_count == 0)
        loop_turn(fixture.loop, true);
    struct timeval later = {.tv_usec = 50000};
    uint64_t begun = clock_ms();
    event_base_loopexit(fixture.loop->base, &later);
    loop_turn_beside(fixture.loop);
    ck_assert_uint_ge(clock_ms() - begun + 10, 50);
    ck_assert_uint_eq(fixture.loop->ready_count, 1);
    fixture_turn(&fixture);
    client_close(&client);
    fixture_await_open(&fixture, 0);
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, the_limits_are_those_of_the_options);
    tcase_add_test(tests, requests_are_ready_in_the_order_of_their_completion);
    unit_add_rows(tests, the_request_that_has_waited_longest_comes_first, removals);
    tcase_add_test(tests, it_does_not_wait_while_something_is_settled_or_ready);
    tcase_add_test(tests, it_waits_beside_ready_requests_when_no_thread_can_run_them);
    tcase_add_test(tests, every_turn_is_progress);
    tcase_add_test(tests, what_another_thread_has_finished_wakes_the_loop_and_is_finished);
}

int main(void)
{
    return unit_run("net/loop", add);
}
