/*
 * Hand-over between two workers: they are two loops of one process, which take turns.
 */
#include "net/handover.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/exchange.h"
#include "net/h1.h"
#include "net/presence.h"
#include "net_fixture.h"

enum { HERE, THERE, WORKERS };

static struct fixture fixtures[WORKERS];
static struct handover *handovers[WORKERS];
static struct scoreboard *board;
static struct address address;
static int transfer_in[WORKERS], transfer_out[WORKERS];

static void begin(const char *options)
{
    board = scoreboard_new(WORKERS, 1);
    address.local = (struct local_endpoint){"localhost", "80", false};
    for (unsigned i = 0; i < WORKERS; i++) {
        int ends[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
        transfer_in[i] = ends[0];
        transfer_out[i] = ends[1];
        fixture_start(&fixtures[i], options);
        fixtures[i].loop->row = &board->rows[i];
        scoreboard_set(board->rows[i].state, WORKER_READY);
        const struct handover_setup setup = {.addresses = &address,
                                             .address_count = 1,
                                             .transfer_out = transfer_out,
                                             .transfer_in = transfer_in,
                                             .slot = i,
                                             .slots = WORKERS,
                                             .seats = 1,
                                             .board = board};
        handovers[i] = handover_new(fixtures[i].loop, &setup);
    }
}

/* Each connection is counted in its worker, in its state. */
static void assert_all_idle(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        const struct scoreboard_row *row = &board->rows[i];
        ck_assert_uint_eq(scoreboard_get(row->connections), fixtures[i].loop->open_count);
        ck_assert_uint_eq(scoreboard_get(row->connection_states[CONNECTION_IDLE]),
                          fixtures[i].loop->open_count);
        ck_assert_uint_eq(scoreboard_get(row->connection_states[CONNECTION_READING]), 0);
        ck_assert_uint_eq(scoreboard_get(row->connection_states[CONNECTION_WRITING]), 0);
    }
}

static void finish(struct client *clients, int count)
{
    for (int i = 0; i < count; i++)
        client_close(&clients[i]);
    for (unsigned i = 0; i < WORKERS; i++) {
        fixture_await_open(&fixtures[i], 0);
        handover_free(handovers[i]);
        fixture_stop(&fixtures[i]);
        close(transfer_in[i]);
        close(transfer_out[i]);
    }
    scoreboard_free(board);
}

static void turn_both(void)
{
    for (int i = 0; i < 20; i++) {
        fixture_turn(&fixtures[HERE]);
        fixture_turn(&fixtures[THERE]);
        usleep(500);
    }
}

static size_t open_in(unsigned worker)
{
    return fixtures[worker].loop->open_count;
}

/* Sends only: no loop turns. */
static void tell(struct client *client, const char *text)
{
    ck_assert_int_eq(send(client->fd, text, strlen(text), 0), (int)strlen(text));
}

/* Asks for /hello, in whichever worker the connection is. */
static void assert_greeted(struct client *client)
{
    size_t before = client->size;
    tell(client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < 50 && (client->size == before || strstr(client->got + before, "hello") == NULL);
         i++) {
        turn_both();
        client_receive(client);
    }
    ck_assert_ptr_nonnull(strstr(client->got + before, "hello"));
    ck_assert_int_eq(client->end, CLIENT_OPEN);
}

START_TEST(connections_that_stay_are_spread)
{
    struct client clients[7];
    begin("");
    for (int i = 0; i < 7; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        assert_greeted(&clients[i]);
    }
    ck_assert_uint_eq(open_in(HERE) + open_in(THERE), 7);
    ck_assert_uint_ge(open_in(THERE), 3);
    ck_assert_uint_le(open_in(THERE), 4);
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_BALANCE]), open_in(THERE));
    for (int i = 0; i < 7; i++)
        assert_greeted(&clients[i]);
    ck_assert_msg(scoreboard_get(board->rows[THERE].handed_over[HANDOVER_BALANCE]) == 0,
                  "and none comes back");
    ck_assert_uint_eq(board->rows[THERE].in_transfer, 0);
    assert_all_idle();
    finish(clients, 7);
}
END_TEST

/* As if the others had not yet accepted their share. */
START_TEST(after_a_rush_the_worker_with_more_sends_idle_connections)
{
    struct client clients[8];
    begin("");
    scoreboard_set(board->rows[THERE].state, WORKER_BOOTING);
    for (int i = 0; i < 8; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        if (i == 7)
            scoreboard_set(board->rows[THERE].state, WORKER_READY);
        assert_greeted(&clients[i]);
    }
    for (int i = 0; i < 50 && open_in(THERE) < 4; i++)
        turn_both();
    for (int i = 0; i < 25; i++) /* they are compared once more */
        turn_both();
    ck_assert_uint_eq(open_in(HERE), 4);
    ck_assert_uint_eq(open_in(THERE), 4);
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_BALANCE]), 4);
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].handed_over[HANDOVER_BALANCE]), 0);
    for (int i = 0; i < 8; i++)
        assert_greeted(&clients[i]);
    assert_all_idle();
    finish(clients, 8);
}
END_TEST

/* As if its call lasted. */
START_TEST(those_that_were_watched_before_their_answer_are_spread_too)
{
    struct client clients[4];
    begin("");
    struct loop *loop = fixtures[HERE].loop;
    for (int i = 0; i < 4; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        tell(&clients[i], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
        loop->open->readable = true;
        h1_protocol.readable(loop->open);
        struct exchange *exchange = loop_take_ready(loop);
        presence_watch(exchange);
        loop_turn(loop, false);
        loop->handler->run(&fixtures[HERE], exchange);
        exchange_finish(exchange);
        turn_both();
    }
    ck_assert_uint_eq(open_in(HERE), 2);
    ck_assert_uint_eq(open_in(THERE), 2);
    finish(clients, 4);
}
END_TEST

START_TEST(a_connection_that_ends_with_its_answer_stays)
{
    struct client clients[4];
    begin("");
    for (int i = 0; i < 4; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        tell(&clients[i], "GET /hello HTTP/1.0\r\n\r\n");
        turn_both();
        client_receive(&clients[i]);
        ck_assert_ptr_nonnull(strstr(clients[i].got, "hello"));
    }
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_BALANCE]), 0);
    finish(clients, 4);
}
END_TEST

static const struct {
    const char *name, *options, *request;
    const char *answer; /* what the other worker's answer ends with */
} ready[] = {
    {"without a body", "", "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", "hello"},
    {"with a body in memory", "", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n12345",
     "12345"},
    {"with an empty body", "", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "\r\n\r\n"},
    {"with a decoded body", "",
     "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
     "abcde"},
    {"with another behind it", "",
     "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n1GET /hello HTTP/1.1\r\nHost: a\r\n\r\n",
     "hello"},
    {"that ends the connection", "", "GET /hello HTTP/1.0\r\nX: y\r\n\r\n", "hello"},
};

/* Lets one loop receive without running anything, as the monitor does. */
static void receive_only(struct fixture *fixture, size_t count)
{
    for (int i = 0; i < 500 && fixture->loop->ready_count < count; i++) {
        loop_turn(fixture->loop, false);
        usleep(1000);
    }
    ck_assert_uint_eq(fixture->loop->ready_count, count);
}

START_TEST(a_request_that_waits_goes_to_an_idle_thread)
{
    struct client client;
    begin(ready[_i].options);
    client_open_tcp(&client, &fixtures[HERE]);
    tell(&client, ready[_i].request);
    receive_only(&fixtures[HERE], 1);
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, 0);
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_BUSY]), 1);
    turn_both();
    ck_assert_uint_eq(open_in(HERE), 0);
    client_receive(&client);
    size_t size = strlen(ready[_i].answer);
    ck_assert_msg(client.size > size && strcmp(client.got + client.size - size, ready[_i].answer) == 0,
                  "%s: %s", ready[_i].name, client.got);
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].requests), _i == 4 ? 2 : 1);
    ck_assert_msg(scoreboard_get(board->rows[HERE].requests) == 0, "it is counted once");
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].answers[200 - SCOREBOARD_CODE_MIN]), _i == 4 ? 2 : 1);
    ck_assert_msg(scoreboard_get(board->rows[THERE].request.sum) >=
                      scoreboard_get(board->rows[THERE].queue.sum),
                  "its time began where it came first");
    finish(&client, 1);
}
END_TEST

START_TEST(a_spool_moves_with_its_request)
{
    static char request[200 + 100000];
    struct client client;
    begin("--body-memory 1k");
    int head = sprintf(request, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
    memset(request + head, 'b', 100000);
    client_open_tcp(&client, &fixtures[HERE]);
    for (size_t sent = 0; sent < (size_t)head + 100000; loop_turn(fixtures[HERE].loop, false)) {
        ssize_t n = send(client.fd, request + sent, (size_t)head + 100000 - sent, MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
    }
    receive_only(&fixtures[HERE], 1);
    ck_assert_int_ge(fixtures[HERE].loop->ready_first->body.content.spool, 0);
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_BUSY]), 1);
    receive_only(&fixtures[THERE], 1);
    const struct body_content *content = &fixtures[THERE].loop->ready_first->body.content;
    char bytes[16];
    ck_assert_uint_eq(content->size, 100000);
    ck_assert_int_eq(pread(content->spool, bytes, 16, 100000 - 16), 16);
    ck_assert_int_eq(bytes[15], 'b');
    finish(&client, 1);
}
END_TEST

START_TEST(without_an_idle_thread_elsewhere_a_request_waits_for_one)
{
    struct client client;
    begin("");
    struct scoreboard_call *call = scoreboard_calls(board, THERE);
    scoreboard_set(call->since_ns, 1);
    client_open_tcp(&client, &fixtures[HERE]);
    tell(&client, ready[0].request);
    receive_only(&fixtures[HERE], 1);
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, 1);
    scoreboard_set(call->since_ns, 0); /* the thread that waits beside is woken to look again */
    for (int i = 0; i < 200 && fixtures[HERE].loop->ready_count > 0; i++)
        loop_turn_beside(fixtures[HERE].loop);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, 0);
    turn_both();
    client_receive(&client);
    ck_assert_ptr_nonnull(strstr(client.got, "hello"));
    finish(&client, 1);
}
END_TEST

START_TEST(many_that_wait_go_to_an_idle_thread_but_not_all)
{
    enum { MANY = 20, ROOM = 16 };
    struct client clients[MANY];
    begin("");
    scoreboard_set(board->rows[THERE].state, WORKER_BOOTING); /* or they would be spread when they come */
    for (int i = 0; i < MANY; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        tell(&clients[i], ready[0].request);
    }
    receive_only(&fixtures[HERE], MANY);
    scoreboard_set(board->rows[THERE].state, WORKER_READY);
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, MANY - ROOM);
    receive_only(&fixtures[THERE], ROOM);
    ck_assert_msg(fixtures[THERE].loop->ready_last->ready_ns <= fixtures[HERE].loop->ready_first->ready_ns,
                  "those that have waited longest");
    turn_both();
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, 0);
    turn_both();
    finish(clients, MANY);
}
END_TEST

static const struct {
    enum worker_state state;
    enum intake_state intake;
    bool left_unserved;
} not_serving[] = {
    {.state = WORKER_NONE},
    {.state = WORKER_BOOTING},
    {.state = WORKER_LOADED},
    {.state = WORKER_DRAINING},
    {.state = WORKER_READY, .intake = INTAKE_NO_DESCRIPTORS},
    {.state = WORKER_READY, .intake = INTAKE_FULL},
    {.state = WORKER_READY, .left_unserved = true},
};

START_TEST(nothing_goes_to_a_worker_that_does_not_serve)
{
    struct client clients[3];
    begin("");
    scoreboard_set(board->rows[THERE].state, not_serving[_i].state);
    scoreboard_set(board->rows[THERE].intake, not_serving[_i].intake);
    scoreboard_set(board->rows[THERE].left_unserved, not_serving[_i].left_unserved);
    for (int i = 0; i < 3; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        assert_greeted(&clients[i]);
    }
    tell(&clients[0], ready[0].request);
    receive_only(&fixtures[HERE], 1);
    handover_ship(handovers[HERE]);
    ck_assert_uint_eq(fixtures[HERE].loop->ready_count, 1);
    turn_both();
    ck_assert_uint_eq(open_in(HERE), 3);
    finish(clients, 3);
}
END_TEST

/* The successor has the same slot: here the same transfer socket. */
START_TEST(what_is_idle_or_will_be_goes_to_the_successor)
{
    struct client clients[3];
    begin("");
    scoreboard_set(board->rows[THERE].state, WORKER_BOOTING);
    for (int i = 0; i < 3; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        assert_greeted(&clients[i]);
    }
    tell(&clients[0], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n1");
    fixture_turn(&fixtures[HERE]);
    handover_retire(handovers[HERE]);
    turn_both();
    ck_assert_msg(open_in(HERE) == 1, "one is not idle yet");
    ck_assert_uint_eq(scoreboard_get(board->rows[HERE].handed_over[HANDOVER_RETIRE]), 2);
    tell(&clients[0], "2");
    for (int i = 0; i < 50 && open_in(HERE) > 0; i++) /* it may wait for the kernel's acknowledgement */
        turn_both();
    ck_assert_uint_eq(open_in(HERE), 0);
    client_receive(&clients[0]);
    ck_assert_ptr_null(strstr(clients[0].got, "Connection: close"));
    for (int i = 0; i < 3; i++) {
        struct parcel parcel;
        static char bytes[PARCEL_MAX];
        ck_assert_int_eq(parcel_receive(transfer_in[HERE], &parcel, bytes), 1);
        conn_adopt(fixtures[THERE].loop, &h1_protocol, &address.local, &parcel, bytes);
    }
    for (int i = 0; i < 3; i++)
        assert_greeted(&clients[i]);
    ck_assert_uint_eq(open_in(THERE), 3);
    finish(clients, 3);
}
END_TEST

/* Any worker takes them: the receiver, or the sender. */
START_TEST(at_the_end_what_is_in_any_transfer_socket_is_taken)
{
    struct client client;
    begin("");
    client_open_tcp(&client, &fixtures[THERE]);
    tell(&client, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    receive_only(&fixtures[THERE], 1);
    handover_ship(handovers[THERE]);
    ck_assert_uint_eq(open_in(HERE), 0);
    loop_drain(fixtures[_i].loop);
    handover_take_all(handovers[_i]);
    turn_both();
    client_receive(&client);
    ck_assert_ptr_nonnull(strstr(client.got, "Connection: close"));
    ck_assert_ptr_nonnull(strstr(client.got, "hello"));
    finish(&client, 1);
}
END_TEST

START_TEST(when_the_transfer_socket_is_full_connections_stay_until_there_is_room)
{
    struct client client;
    struct parcel filler = {.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), .spool = -1}, parcel;
    static char bytes[PARCEL_MAX];
    int count = 0;
    begin("");
    client_open_tcp(&client, &fixtures[HERE]);
    assert_greeted(&client);
    while (parcel_send(transfer_out[HERE], &filler, NULL, 0) == 0)
        count++;
    handover_retire(handovers[HERE]);
    turn_both();
    ck_assert_uint_eq(open_in(HERE), 1);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(parcel_receive(transfer_in[HERE], &parcel, bytes), 1);
        close(parcel.fd);
    }
    turn_both();
    ck_assert_uint_eq(open_in(HERE), 0);
    ck_assert_int_eq(parcel_receive(transfer_in[HERE], &parcel, bytes), 1);
    close(parcel.fd);
    finish(&client, 1);
}
END_TEST

/* All descriptors that are left to the process. */
static int filled[1024], filled_count;

static void take_all_descriptors(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = UNIT_ROWS(filled);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    for (filled_count = 0; (filled[filled_count] = dup(0)) >= 0; filled_count++)
        ;
}

static void give_back(void)
{
    while (filled_count > 0)
        close(filled[--filled_count]);
}

/* Without the limit, one burst would lose all parcels of a transfer socket. */
START_TEST(without_descriptors_connections_wait_in_the_transfer_socket)
{
    enum { CONNECTIONS = 8, TURNS = 20 };
    struct client clients[CONNECTIONS];
    begin("");
    for (int i = 0; i < CONNECTIONS; i++) {
        client_open_tcp(&clients[i], &fixtures[HERE]);
        client_say(&clients[i], &fixtures[HERE], "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    fixture_await_open(&fixtures[HERE], CONNECTIONS / 2);
    take_all_descriptors();
    for (int i = 0; i < TURNS; i++)
        fixture_turn(&fixtures[THERE]);
    ck_assert_uint_eq(open_in(THERE), 0);
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].intake), INTAKE_NO_DESCRIPTORS);
    give_back();
    for (int i = 0; i < 50 && open_in(THERE) < CONNECTIONS / 2; i++)
        turn_both();
    ck_assert_uint_eq(open_in(THERE), CONNECTIONS / 2);
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].intake), INTAKE_OPEN);
    ck_assert_uint_eq(scoreboard_get(board->rows[THERE].adopted), CONNECTIONS / 2);
    for (int i = 0; i < CONNECTIONS; i++)
        assert_greeted(&clients[i]);
    finish(clients, CONNECTIONS);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, connections_that_stay_are_spread);
    tcase_add_test(tests, after_a_rush_the_worker_with_more_sends_idle_connections);
    tcase_add_test(tests, those_that_were_watched_before_their_answer_are_spread_too);
    tcase_add_test(tests, a_connection_that_ends_with_its_answer_stays);
    unit_add_rows(tests, a_request_that_waits_goes_to_an_idle_thread, ready);
    tcase_add_test(tests, a_spool_moves_with_its_request);
    tcase_add_test(tests, without_an_idle_thread_elsewhere_a_request_waits_for_one);
    tcase_add_test(tests, many_that_wait_go_to_an_idle_thread_but_not_all);
    unit_add_rows(tests, nothing_goes_to_a_worker_that_does_not_serve, not_serving);
    tcase_add_test(tests, what_is_idle_or_will_be_goes_to_the_successor);
    tcase_add_loop_test(tests, at_the_end_what_is_in_any_transfer_socket_is_taken, HERE, WORKERS);
    tcase_add_test(tests, when_the_transfer_socket_is_full_connections_stay_until_there_is_room);
    tcase_add_test(tests, without_descriptors_connections_wait_in_the_transfer_socket);
}

int main(void)
{
    return unit_run("net/handover", add);
}
