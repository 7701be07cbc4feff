/*
 * A connection whose client is slow, gone, or too fast: nothing is lost, and nothing waits for the
 * client.
 */
#include "net/conn.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OLD(path) "GET " path " HTTP/1.0\r\n\r\n"

static void assert_big(const struct client *client, size_t size)
{
    const char *body = strstr(client->got, "\r\n\r\n");
    ck_assert_ptr_nonnull(body);
    body += 4;
    ck_assert_uint_eq((size_t)(client->got + client->size - body), size);
    for (size_t i = 0; i < size; i++)
        ck_assert_msg(body[i] == big_byte(i), "byte %zu is %02x, not %02x", i, body[i], big_byte(i));
}

static const struct {
    const char *name, *options, *input;
    size_t size;
} slow[] = {
    {"what the socket takes", "", GET("/big/1000"), 1000},
    {"memory", "", GET("/big/200000"), 200000},
    {"memory, then a spool", "", GET("/big/1000000"), 1000000},
    {"little memory, then a spool", "--response-memory 4k", GET("/big/300000"), 300000},
};

/* The handler has long returned when the client begins to read. */
START_TEST(a_slow_client_gets_all_of_it_and_the_handler_does_not_wait)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, slow[_i].options);
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, slow[_i].input);
    for (int i = 0; i < 20; i++)
        fixture_turn(&fixture);
    ck_assert(fixture.sent_all);
    ck_assert_uint_eq(scoreboard_get(fixture.row.requests), 1);
    client_await(&client, &fixture, slow[_i].size + 90, CLIENT_OPEN, 20000);
    assert_big(&client, slow[_i].size);
    size_t before = client.size;
    client_say(&client, &fixture, GET("/hello"));
    client_await(&client, &fixture, before + 90, CLIENT_OPEN, 20000);
    ck_assert_ptr_nonnull(memmem(client.got + before, client.size - before, "hello", 5));
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

/* Output has reached all limits, so the producer waits. A child reads meanwhile. */
START_TEST(a_producer_waits_when_all_limits_are_reached)
{
    enum { SIZE = 2000000 };
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--response-memory 4k --response-spool 100k");
    client_open_tcp(&client, &fixture);
    pid_t reader = fork();
    if (reader == 0) {
        ck_assert_int_eq(fcntl(client.fd, F_SETFL, 0), 0);
        char bytes[20000];
        size_t total = 0;
        for (ssize_t n; total < SIZE && (n = recv(client.fd, bytes, sizeof(bytes), 0)) > 0;)
            total += (size_t)n;
        _exit(total >= SIZE ? 0 : 1);
    }
    client_say(&client, &fixture, GET("/big/2000000"));
    fixture_turn(&fixture);
    int status = -1;
    for (int i = 0; i < 2000 && waitpid(reader, &status, WNOHANG) == 0; i++) {
        fixture_turn(&fixture);
        usleep(2000);
    }
    ck_assert_int_eq(status, 0);
    ck_assert(fixture.sent_all);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_producer_does_not_wait_longer_than_the_write_timeout)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--response-memory 4k --response-spool 0 --write-timeout 200ms");
    client_open_tcp(&client, &fixture);
    uint64_t begun = clock_ms();
    client_say(&client, &fixture, GET("/big/90000000"));
    fixture_turn(&fixture);
    ck_assert(!fixture.sent_all);
    ck_assert_uint_le(clock_ms() - begun, 30000); /* the default is 60 s */
    fixture_await_open(&fixture, 0);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static const struct {
    const char *name, *input;
} stalled[] = {
    {"a length", GET("/big/1000000")},
    {"the end of the connection", OLD("/big/1000000")},
};

/* A client that reads on must not take a part of the answer for the whole. */
START_TEST(a_client_that_takes_nothing_is_reset_after_the_write_timeout)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "--write-timeout 200ms");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, stalled[_i].input);
    uint64_t begun = clock_ms();
    fixture_await_open(&fixture, 0);
    ck_assert_uint_ge(clock_ms() - begun + 10, 190);
    client_await(&client, &fixture, 1, CLIENT_RESET, 20000);
    ck_assert_int_eq(client.end, CLIENT_RESET);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(the_write_timeout_begins_anew_when_something_is_taken)
{
    struct fixture fixture;
    struct client client;
    char bytes[20000];
    fixture_start(&fixture, "--write-timeout 2s");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, GET("/big/1000000"));
    for (int i = 0; i < 8; i++) {
        for (int j = 0; j < 40; j++) {
            fixture_turn(&fixture);
            usleep(10000);
        }
        for (int j = 0; j < 4; j++)
            ck_assert_int_ne(recv(client.fd, bytes, sizeof(bytes), 0), 0);
    }
    ck_assert_uint_eq(fixture.loop->open_count, 1);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static void leave(struct fixture *fixture, struct exchange *exchange)
{
    struct linger reset = {.l_onoff = 1, .l_linger = 0};
    (void)exchange;
    setsockopt(fixture->paused->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    client_close(fixture->paused);
}

START_TEST(a_client_that_leaves_in_the_middle_is_noticed)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    fixture.paused = &client;
    fixture.pause = leave;
    client_say(&client, &fixture, GET("/pause/0"));
    ck_assert(!fixture.sent_all);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(a_client_that_leaves_while_much_is_kept_for_it_is_noticed)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    client_say(&client, &fixture, GET("/big/3000000"));
    fixture_turn(&fixture);
    ck_assert_uint_eq(fixture.loop->open_count, 1);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static void catch_up(struct fixture *fixture, struct exchange *exchange)
{
    struct client *client = fixture->paused;
    struct slice tick = SLICE("tick");
    ck_assert(!conn_is_drained(exchange->conn));
    for (int i = 0; i < 500 && !conn_is_drained(exchange->conn); i++) {
        usleep(1000);
        client_receive(client);
        ck_assert_int_eq(exchange_send(exchange, &tick, 1), 0);
    }
    ck_assert(conn_is_drained(exchange->conn));
    usleep(5000);
    client_receive(client);
    ck_assert_str_eq(client->got + client->size - 6, "tick\r\n");
}

/* A client that was slow once and has caught up gets each block as it is made. */
START_TEST(what_waits_leaves_with_the_next_block)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    client_open_tcp(&client, &fixture);
    fixture.paused = &client;
    fixture.pause = catch_up;
    client_say(&client, &fixture, GET("/pause/100000"));
    ck_assert(fixture.sent_all);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

/* Other connections have their turn after each 64 KiB. */
START_TEST(a_client_that_sends_much_does_not_hold_the_loop)
{
    struct fixture fixture;
    struct client client;
    char block[4096] = {0};
    int waiting = 0, before;
    fixture_start(&fixture, "");
    client_open_unix(&client, &fixture);
    client_say(&client, &fixture, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    while (send(client.fd, block, sizeof(block), 0) > 0)
        waiting += (int)sizeof(block);
    ck_assert_int_gt(waiting, 2 * LOOP_SCRATCH_SIZE);
    ck_assert_int_eq(ioctl(client.fd, SIOCOUTQ, &waiting), 0);
    do {
        before = waiting;
        fixture_turn(&fixture);
        ck_assert_int_eq(ioctl(client.fd, SIOCOUTQ, &waiting), 0);
    } while (waiting == before);
    ck_assert_int_gt(waiting, 0);
    for (int i = 0; i < 20; i++)
        fixture_turn(&fixture);
    ck_assert_int_eq(ioctl(client.fd, SIOCOUTQ, &waiting), 0);
    ck_assert_int_eq(waiting, 0);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

enum goodbye { STAYS, HALF_CLOSES, CLOSES, RESETS };

static const struct {
    const char *name;
    bool tcp;
    enum goodbye goodbye;
    enum conn_peer peer;
} peers[] = {
    {"one that stays", true, STAYS, PEER_THERE},
    {"one that half-closes", true, HALF_CLOSES, PEER_ENDED},
    {"one that closes looks the same", true, CLOSES, PEER_ENDED},
    {"one that resets", true, RESETS, PEER_GONE},
    {"over a unix socket, one that stays", false, STAYS, PEER_THERE},
    {"over a unix socket, one that half-closes", false, HALF_CLOSES, PEER_ENDED},
    {"over a unix socket, one that closes", false, CLOSES, PEER_GONE},
};

START_TEST(the_kernel_knows_of_the_peer)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    if (peers[_i].tcp)
        client_open_tcp(&client, &fixture);
    else
        client_open_unix(&client, &fixture);
    const struct conn *conn = fixture.loop->open;
    ck_assert(conn_is_unix(conn) == !peers[_i].tcp);
    fixture.paused = &client;
    if (peers[_i].goodbye == HALF_CLOSES)
        ck_assert_int_eq(shutdown(client.fd, SHUT_WR), 0);
    else if (peers[_i].goodbye == CLOSES)
        client_close(&client);
    else if (peers[_i].goodbye == RESETS)
        leave(&fixture, NULL);
    ck_assert_msg(conn_peer(conn) == peers[_i].peer, "%s: %d", peers[_i].name, (int)conn_peer(conn));
    if (client.got != NULL)
        client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

/* A forked process keeps the descriptor open: the client must see the end all the same. */
START_TEST(the_end_is_seen_although_a_child_holds_the_socket)
{
    struct fixture fixture;
    struct client client;
    fixture_start(&fixture, "");
    static const atomic_bool forked = true;
    fixture.loop->has_forked = &forked;
    client_open_tcp(&client, &fixture);
    pid_t child = fork();
    if (child == 0) {
        close(client.fd);
        pause();
    }
    client_say(&client, &fixture, "GET /hello HTTP/1.0\r\n\r\n");
    client_await(&client, &fixture, 90, CLIENT_ENDED, 20000);
    ck_assert_int_eq(client.end, CLIENT_ENDED);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    client_close(&client);
    fixture_stop(&fixture);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_slow_client_gets_all_of_it_and_the_handler_does_not_wait, slow);
    tcase_add_test(tests, a_producer_waits_when_all_limits_are_reached);
    tcase_add_test(tests, a_producer_does_not_wait_longer_than_the_write_timeout);
    unit_add_rows(tests, a_client_that_takes_nothing_is_reset_after_the_write_timeout, stalled);
    tcase_add_test(tests, the_write_timeout_begins_anew_when_something_is_taken);
    tcase_add_test(tests, a_client_that_leaves_in_the_middle_is_noticed);
    tcase_add_test(tests, a_client_that_leaves_while_much_is_kept_for_it_is_noticed);
    tcase_add_test(tests, what_waits_leaves_with_the_next_block);
    tcase_add_test(tests, a_client_that_sends_much_does_not_hold_the_loop);
    unit_add_rows(tests, the_kernel_knows_of_the_peer, peers);
    tcase_add_test(tests, the_end_is_seen_although_a_child_holds_the_socket);
}

int main(void)
{
    return unit_run("net/conn", add);
}
