/*
 * A client that goes away while its request waits or its call lasts; and a client that only sends
 * no more.
 */
#include "net/presence.h"

#include <event2/event.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net_fixture.h"

#define NEW "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"
#define OLD "GET /hello HTTP/1.0\r\n\r\n"

static struct fixture fixture;
static struct client client;

enum goodbye { STAYS, HALF_CLOSES, CLOSES, RESETS };

static void say_goodbye(enum goodbye goodbye)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    if (goodbye == HALF_CLOSES)
        ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
    if (goodbye == RESETS)
        setsockopt(client.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    if (goodbye == RESETS || goodbye == CLOSES)
        client_close(&client);
}

static void start(bool tcp)
{
    fixture_start(&fixture, "--queue-timeout 20s");
    if (tcp)
        client_open_tcp(&client, &fixture);
    else
        client_open_unix(&client, &fixture);
}

static void stop(void)
{
    if (client.got != NULL)
        client_close(&client);
    fixture_stop(&fixture);
}

/* The request waits: no thread runs it. */
static struct exchange *queue(const char *request)
{
    ck_assert_int_gt(send(client.fd, request, strlen(request), 0), 0);
    while (fixture.loop->ready_count == 0)
        loop_turn(fixture.loop, true);
    return fixture.loop->ready_first;
}

/* Turns of a thread that cannot run ready requests. */
static void turn_beside(void)
{
    uint64_t end = clock_ms() + 60;
    do {
        struct timeval soon = {.tv_usec = 20000};
        event_base_loopexit(fixture.loop->base, &soon);
        loop_watch_ready(fixture.loop, 0);
        loop_turn_beside(fixture.loop);
    } while (clock_ms() < end);
}

static void assert_answers(const char *name, const char *expected)
{
    char text[FIXTURE_ANSWERS * 8] = "", *end = text;
    for (size_t i = 0; i < fixture.answer_count; i++)
        end += sprintf(end, "%d\n", fixture.answers[i].status);
    ck_assert_msg(strcmp(text, expected) == 0, "%s: %s", name, text);
}

static const struct {
    const char *name;
    bool tcp;
    const char *request;
    enum goodbye goodbye;
    bool dropped;
    const char *interim; /* what one that was asked has read before its answer */
} waiting[] = {
    {"one that stays", true, NEW, STAYS, false, ""},
    {"one that half-closes is asked", true, NEW, HALF_CLOSES, false, "HTTP/1.1 100 Continue\r\n\r\n"},
    {"one that closes", true, NEW, CLOSES, true, NULL},
    {"one that resets", true, NEW, RESETS, true, NULL},
    {"an old one that half-closes is not asked", true, OLD, HALF_CLOSES, false, ""},
    {"an old one that resets", true, OLD, RESETS, true, NULL},
    {"over a unix socket, one that stays", false, NEW, STAYS, false, ""},
    {"over a unix socket, one that half-closes", false, NEW, HALF_CLOSES, false, ""},
    {"over a unix socket, one that closes", false, NEW, CLOSES, true, NULL},
    {"over a unix socket, an old one that half-closes", false, OLD, HALF_CLOSES, false, ""},
    {"over a unix socket, an old one that closes", false, OLD, CLOSES, true, NULL},
};

/* The client is watched first, or its end has come before. */
static void go_while_waiting(int row, bool watched_before)
{
    queue(waiting[row].request);
    if (watched_before)
        turn_beside();
    say_goodbye(waiting[row].goodbye);
    turn_beside();
    ck_assert_msg((fixture.loop->ready_count == 0) == waiting[row].dropped, "%s", waiting[row].name);
    if (waiting[row].dropped)
        return;
    client_await(&client, &fixture, strlen(waiting[row].interim) + 90, CLIENT_OPEN, 100);
    ck_assert_msg(strncmp(client.got, waiting[row].interim, strlen(waiting[row].interim)) == 0, "%s: %s",
                  waiting[row].name, client.got);
    ck_assert_msg(strncmp(client.got + strlen(waiting[row].interim), "HTTP/1.1 200 OK", 15) == 0, "%s: %s",
                  waiting[row].name, client.got);
}

START_TEST(a_request_waits_as_long_as_its_client)
{
    for (int watched_before = 0; watched_before < 2; watched_before++) {
        start(waiting[_i].tcp);
        go_while_waiting(_i, watched_before);
        assert_answers(waiting[_i].name, waiting[_i].dropped ? "499\n" : "200\n");
        stop();
    }
}
END_TEST

/* The connection is watched since its first answer, and an edge may have come before the request
 * was parsed. */
START_TEST(a_second_request_waits_as_long_too)
{
    start(waiting[_i].tcp);
    client_say(&client, &fixture, NEW);
    client_await(&client, &fixture, 90, CLIENT_OPEN, 100);
    client.got[client.size = 0] = '\0';
    ck_assert_int_gt(send(client.fd, waiting[_i].request, strlen(waiting[_i].request), 0), 0);
    if (waiting[_i].goodbye == HALF_CLOSES)
        say_goodbye(HALF_CLOSES);
    for (int i = 0; i < 100 && fixture.loop->ready_count == 0; i++)
        loop_turn(fixture.loop, false);
    ck_assert_uint_eq(fixture.loop->ready_count, 1);
    if (waiting[_i].goodbye != HALF_CLOSES)
        say_goodbye(waiting[_i].goodbye);
    turn_beside();
    ck_assert_msg((fixture.loop->ready_count == 0) == waiting[_i].dropped, "%s", waiting[_i].name);
    if (!waiting[_i].dropped) {
        client_receive(&client);
        ck_assert_msg(strcmp(client.got, waiting[_i].interim) == 0, "%s: %s", waiting[_i].name, client.got);
    }
    stop();
}
END_TEST

START_TEST(only_clients_that_have_waited_for_long_are_watched)
{
    start(true);
    struct exchange *exchange = queue(NEW);
    loop_watch_ready(fixture.loop, 1000);
    ck_assert_int_eq(exchange->presence, PRESENCE_ASSUMED);
    exchange->ready_ns -= UINT64_C(1000000000);
    loop_watch_ready(fixture.loop, 1000);
    ck_assert_int_eq(exchange->presence, PRESENCE_WATCHED);
    ck_assert(exchange->conn->watched);
    fixture_turn(&fixture);
    stop();
}
END_TEST

/* All clients are looked at, in any order. The others keep their order. */
START_TEST(clients_that_are_gone_leave_the_others_in_their_order)
{
    enum { CLIENTS = 6 };
    struct client clients[CLIENTS];
    start(false);
    for (size_t i = 0; i < CLIENTS; i++) {
        client_open_unix(&clients[i], &fixture);
        ck_assert_int_gt(send(clients[i].fd, NEW, strlen(NEW), 0), 0);
        while (fixture.loop->ready_count <= i)
            loop_turn(fixture.loop, false);
        if (i == CLIENTS / 2)
            turn_beside();
    }
    client_close(&clients[0]);
    client_close(&clients[2]);
    client_close(&clients[5]);
    turn_beside();
    ck_assert_uint_eq(fixture.loop->ready_count, 3);
    fixture_turn(&fixture);
    assert_answers("three and three", "499\n499\n499\n200\n200\n200\n");
    for (size_t i = 1; i < 5; i++)
        if (i != 2)
            client_close(&clients[i]);
    stop();
}
END_TEST

static const struct {
    const char *name;
    uint64_t waited_ms;
    bool refused; /* looked at because it has waited too long for a thread, not because a thread takes it */
    const char *answers;
} unsure[] = {
    {"less than a second: it is answered", 900, false, "200\n"},
    {"a second: it is gone when it would be taken", 1100, false, "499\n"},
    {"so long that it would be refused", 30000, true, "499\n"},
};

START_TEST(an_old_client_that_half_closed_is_waited_with_for_a_second)
{
    start(true);
    struct exchange *exchange = queue(OLD);
    say_goodbye(HALF_CLOSES);
    turn_beside();
    ck_assert_uint_eq(fixture.loop->ready_count, 1);
    exchange->ready_ns -= UINT64_C(1000000) * unsure[_i].waited_ms;
    if (unsure[_i].refused) {
        turn_beside();
        ck_assert_uint_eq(fixture.loop->ready_count, 0);
    } else {
        fixture_turn(&fixture);
    }
    assert_answers(unsure[_i].name, unsure[_i].answers);
    stop();
}
END_TEST

static struct exchange *take(const char *request)
{
    queue(request);
    return loop_take_ready(fixture.loop);
}

static void turn_some(void)
{
    for (int i = 0; i < 20; i++) {
        loop_turn(fixture.loop, false);
        usleep(1000);
    }
}

static const struct {
    const char *name;
    bool tcp;
    const char *request;
    enum goodbye goodbye;
    bool lost;   /* as soon as it has said goodbye */
    bool broken; /* soon after that */
} running[] = {
    {"one that stays", true, NEW, STAYS, false, false},
    {"one that half-closes", true, NEW, HALF_CLOSES, false, false},
    {"one that closes", true, NEW, CLOSES, false, true},
    {"one that resets", true, NEW, RESETS, true, true},
    {"an old one that stays", true, OLD, STAYS, false, false},
    {"an old one that ends its side", true, OLD, HALF_CLOSES, true, false},
    {"an old one that resets", true, OLD, RESETS, true, true},
    {"over a unix socket, one that half-closes", false, NEW, HALF_CLOSES, false, false},
    {"over a unix socket, one that closes", false, NEW, CLOSES, true, true},
    {"over a unix socket, an old one that half-closes", false, OLD, HALF_CLOSES, false, false},
};

START_TEST(a_call_is_told_when_its_client_is_gone)
{
    const struct slice chunk = SLICE("some");
    start(running[_i].tcp);
    struct exchange *exchange = take(running[_i].request);
    ck_assert(!presence_is_lost(exchange));
    presence_watch(exchange);
    say_goodbye(running[_i].goodbye);
    ck_assert_msg(presence_is_lost(exchange) == running[_i].lost, "%s", running[_i].name);
    turn_some();
    ck_assert_msg(presence_is_lost(exchange) == (running[_i].lost || running[_i].broken), "%s",
                  running[_i].name);
    ck_assert_msg(exchange->conn->broken == running[_i].broken, "%s", running[_i].name);
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    ck_assert_msg((exchange_send(exchange, &chunk, 1) < 0) == running[_i].broken, "%s", running[_i].name);
    exchange_cut(exchange);
    exchange_finish(exchange);
    assert_answers(running[_i].name, running[_i].broken ? "499\n" : "200\n");
    if (client.got != NULL)
        client_close(&client);
    stop();
}
END_TEST

/* The size line gets a zero in front. */
START_TEST(a_client_that_closes_within_a_stream_is_asked_between_two_chunks)
{
    const struct slice chunk = SLICE("some");
    bool closes = _i == 1;
    start(true);
    struct exchange *exchange = take(NEW);
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    ck_assert_int_eq(exchange_send(exchange, &chunk, 1), 0);
    client_await(&client, &fixture, 90, CLIENT_OPEN, 100);
    presence_watch(exchange);
    say_goodbye(closes ? CLOSES : HALF_CLOSES);
    turn_some();
    ck_assert(exchange->conn->broken == closes);
    ck_assert_int_eq(exchange_send(exchange, &chunk, 1), closes ? -1 : 0);
    if (closes)
        exchange_cut(exchange);
    else
        exchange_end(exchange);
    exchange_finish(exchange);
    if (!closes) {
        client_await(&client, &fixture, 90, CLIENT_ENDED, 20000);
        ck_assert_ptr_nonnull(strstr(client.got, "\r\n\r\n4\r\nsome\r\n04\r\nsome\r\n0\r\n\r\n"));
    }
    stop();
}
END_TEST

/* Some clients take the zero for the last chunk, and the end of the stream for the end of the
 * trailer section. */
START_TEST(an_answer_that_is_cut_behind_the_question_does_not_look_whole)
{
    const struct slice chunk = SLICE("some");
    start(true);
    struct exchange *exchange = take(NEW);
    response_start(&exchange->response, SLICE("200 OK"));
    exchange_head(exchange, false, 0);
    ck_assert_int_eq(exchange_send(exchange, &chunk, 1), 0);
    presence_watch(exchange);
    say_goodbye(HALF_CLOSES);
    turn_some();
    exchange_cut(exchange);
    exchange_finish(exchange);
    client_await(&client, &fixture, 0, CLIENT_RESET, 20000);
    ck_assert_int_eq(client.end, CLIENT_RESET);
    stop();
}
END_TEST

static const struct {
    const char *name, *request, *length;
} mute[] = {
    {"within a length", NEW, "10"},
    {"within a body that the end of the connection ends", OLD, NULL},
    {"after the whole", NEW, "4"},
};

START_TEST(nothing_is_asked_where_there_is_no_place_for_it)
{
    const struct slice chunk = SLICE("some");
    start(true);
    struct exchange *exchange = take(mute[_i].request);
    response_start(&exchange->response, SLICE("200 OK"));
    if (mute[_i].length != NULL)
        response_add(&exchange->response, SLICE("Content-Length"), slice_of(mute[_i].length));
    exchange_head(exchange, false, 0);
    ck_assert_int_eq(exchange_send(exchange, &chunk, 1), 0);
    presence_watch(exchange);
    say_goodbye(HALF_CLOSES);
    turn_some();
    exchange_cut(exchange);
    client_receive(&client);
    ck_assert_str_eq(client.got + client.size - 8, "\r\n\r\nsome");
    exchange_finish(exchange);
    stop();
}
END_TEST

START_TEST(no_client_waits_for_more_after_an_answer_in_the_handlers_place)
{
    start(true);
    struct exchange *exchange = take(NEW);
    ck_assert(exchange_preempt(exchange, 504));
    ck_assert(presence_is_lost(exchange));
    exchange_finish(exchange);
    assert_answers("one that is there", "504\n");
    stop();
}
END_TEST

START_TEST(one_that_is_gone_is_not_answered_in_the_handlers_place)
{
    start(false);
    struct exchange *exchange = take(NEW);
    presence_watch(exchange);
    say_goodbye(CLOSES);
    turn_some();
    ck_assert(exchange_preempt(exchange, 504));
    exchange_finish(exchange);
    assert_answers("one that is gone", "499\n");
    stop();
}
END_TEST

/* --timeout is shorter than the time after which calls are looked at. */
START_TEST(one_that_was_preempted_before_it_was_watched_is_not_watched_any_more)
{
    start(false);
    struct exchange *exchange = take(NEW);
    say_goodbye(CLOSES);
    ck_assert(exchange_preempt(exchange, 504));
    fixture_await_open(&fixture, 0);
    presence_watch(exchange); /* its descriptor is closed, or another connection's by now */
    ck_assert_int_eq(exchange->presence, PRESENCE_ASSUMED);
    exchange_finish(exchange);
    stop();
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_request_waits_as_long_as_its_client, waiting);
    unit_add_rows(tests, a_second_request_waits_as_long_too, waiting);
    tcase_add_test(tests, only_clients_that_have_waited_for_long_are_watched);
    tcase_add_test(tests, clients_that_are_gone_leave_the_others_in_their_order);
    unit_add_rows(tests, an_old_client_that_half_closed_is_waited_with_for_a_second, unsure);
    unit_add_rows(tests, a_call_is_told_when_its_client_is_gone, running);
    tcase_add_loop_test(tests, a_client_that_closes_within_a_stream_is_asked_between_two_chunks, 0, 2);
    tcase_add_test(tests, an_answer_that_is_cut_behind_the_question_does_not_look_whole);
    unit_add_rows(tests, nothing_is_asked_where_there_is_no_place_for_it, mute);
    tcase_add_test(tests, no_client_waits_for_more_after_an_answer_in_the_handlers_place);
    tcase_add_test(tests, one_that_is_gone_is_not_answered_in_the_handlers_place);
    tcase_add_test(tests, one_that_was_preempted_before_it_was_watched_is_not_watched_any_more);
}

int main(void)
{
    return unit_run("net/presence", add);
}
