/*
 * A worker's listeners: accepting pauses when there is no room or no descriptor, and nothing is
 * dropped.
 */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net_fixture.h"

#define HELLO "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"

static struct fixture fixture;
static struct address address;
static struct listeners *listeners;

static void start(const char *options, const char *text)
{
    char message[256];
    ck_assert_msg(address_parse(&address, "--bind", text, message, sizeof(message)) == 0, "%s", message);
    ck_assert_msg(address_listen(&address, 2, 64, message, sizeof(message)) == 0, "%s", message);
    /* No worker serves slot 0. If it were open, half of the connections would wait there. */
    if (!address.shared) {
        close(address.sockets[0]);
        address.sockets[0] = -1;
    }
    fixture_start(&fixture, options);
    listeners = listeners_new(fixture.loop, &address, 1, 1);
}

/* libevent wants the events gone before their base. */
static void stop_all(struct client *clients, int count)
{
    for (int i = 0; i < count; i++)
        client_close(&clients[i]);
    fixture_await_open(&fixture, 0);
    listeners_free(listeners);
    fixture_stop(&fixture);
    address_close(&address, true);
}

/* Connects as the network sees it: the server has not accepted yet. */
static void client_connect(struct client *client)
{
    *client = (struct client){.fd = socket(address.family, SOCK_STREAM, 0), .got = strdup("")};
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_gt(send(client->fd, HELLO, strlen(HELLO), 0), 0);
}

static void turn_for(int ms)
{
    uint64_t end = clock_ms() + (uint64_t)ms;
    while (clock_ms() < end) {
        fixture_turn(&fixture);
        usleep(1000);
    }
}

/* The connection may be closed for a newcomer before the test looks. */
static void assert_answered(struct client *client)
{
    uint64_t end = clock_ms() + 30000;
    while (strstr(client->got, "hello") == NULL && clock_ms() < end)
        client_await(client, &fixture, client->size, client->end, 0);
    ck_assert_ptr_nonnull(strstr(client->got, "hello"));
}

START_TEST(more_than_a_burst_is_accepted)
{
    struct client clients[40];
    start("", "127.0.0.1:0");
    for (int i = 0; i < 40; i++)
        client_connect(&clients[i]);
    for (int i = 0; i < 40; i++)
        assert_answered(&clients[i]);
    ck_assert_uint_eq(scoreboard_get(fixture.row.accepted), 40);
    stop_all(clients, 40);
}
END_TEST

static const char *const peer_addresses[] = {"127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0"};

/* The connection's peer, as a handler sees it. */
static struct peer_endpoint seen;

static void note_peer(struct fixture *f, struct exchange *exchange)
{
    (void)f;
    seen = exchange->conn->peer;
}

START_TEST(the_peer_is_known_by_address_and_port)
{
    struct client client;
    struct sockaddr_storage own;
    socklen_t size = sizeof(own);
    char message[256], port[8];
    if (address_parse(&address, "--bind", peer_addresses[_i], message, sizeof(message)) < 0 ||
        address_listen(&address, 2, 1, message, sizeof(message)) < 0)
        return; /* not every machine has IPv6 */
    address_close(&address, true);
    start("", peer_addresses[_i]);
    fixture.pause = note_peer;
    client = (struct client){.fd = socket(address.family, SOCK_STREAM, 0), .got = strdup("")};
    ck_assert_int_eq(connect(client.fd, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(fcntl(client.fd, F_SETFL, O_NONBLOCK), 0);
    client_say(&client, &fixture, "GET /pause/0 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_await(&client, &fixture, 90, CLIENT_OPEN, 20000);
    ck_assert_int_eq(getsockname(client.fd, (struct sockaddr *)&own, &size), 0);
    snprintf(port, sizeof(port), "%u", ntohs(((struct sockaddr_in *)&own)->sin_port));
    ck_assert_str_eq(seen.port, port);
    ck_assert_str_eq(seen.address, _i == 1 ? "::1" : "127.0.0.1");
    stop_all(&client, 1);
}
END_TEST

START_TEST(a_unix_peer_has_no_address)
{
    struct client client;
    char text[64];
    snprintf(text, sizeof(text), "unix:@gateway-listener-%d", (int)getpid());
    start("", text);
    fixture.pause = note_peer;
    memset(&seen, 'x', sizeof(seen));
    client_connect(&client);
    client_say(&client, &fixture, "GET /pause/0 HTTP/1.1\r\nHost: a\r\n\r\n");
    client_await(&client, &fixture, 200, CLIENT_OPEN, 20000);
    ck_assert_str_eq(seen.address, "");
    ck_assert_str_eq(seen.port, "");
    stop_all(&client, 1);
}
END_TEST

/* The connection is in use until the rest of the head comes. */
static void client_begin(struct client *client)
{
    *client = (struct client){.fd = socket(address.family, SOCK_STREAM, 0), .got = strdup("")};
    ck_assert_int_eq(connect(client->fd, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(fcntl(client->fd, F_SETFL, O_NONBLOCK), 0);
    ck_assert_int_gt(send(client->fd, HELLO, 5, 0), 0);
}

static void client_complete(struct client *client)
{
    ck_assert_int_gt(send(client->fd, HELLO + 5, strlen(HELLO) - 5, 0), 0);
}

START_TEST(accepting_pauses_while_all_connections_are_in_use_and_goes_on)
{
    struct client clients[5];
    start("--worker-connections 2", "127.0.0.1:0");
    client_begin(&clients[0]);
    client_begin(&clients[1]);
    fixture_await_open(&fixture, 2);
    for (int i = 2; i < 5; i++)
        client_connect(&clients[i]);
    turn_for(50);
    ck_assert_uint_eq(fixture.loop->open_count, 2);
    ck_assert(fixture.loop->accepting_paused);
    ck_assert_uint_eq(scoreboard_get(fixture.row.intake), INTAKE_FULL);
    for (int i = 2; i < 5; i++) {
        client_receive(&clients[i]);
        ck_assert_uint_eq(clients[i].size, 0);
    }
    client_close(&clients[0]);
    for (int i = 2; i < 5; i++)
        assert_answered(&clients[i]);
    client_complete(&clients[1]);
    assert_answered(&clients[1]);
    stop_all(clients + 1, 4);
}
END_TEST

START_TEST(the_end_of_a_request_makes_room_for_a_client_that_waits)
{
    struct client clients[2];
    start("--worker-connections 1", "127.0.0.1:0");
    client_begin(&clients[0]);
    fixture_await_open(&fixture, 1);
    client_connect(&clients[1]);
    turn_for(20);
    ck_assert(fixture.loop->accepting_paused);
    client_complete(&clients[0]);
    assert_answered(&clients[1]);
    client_receive(&clients[0]);
    ck_assert_ptr_nonnull(strstr(clients[0].got, "hello"));
    ck_assert_int_eq(clients[0].end, CLIENT_ENDED);
    stop_all(clients, 2);
}
END_TEST

/* The deadlines of a queue have slack: a 64th. */
START_TEST(the_connection_that_idles_for_the_longest_time_is_closed_for_a_new_one)
{
    struct client clients[5];
    start("--worker-connections 3 --keep-alive 640ms --header-timeout 1h", "127.0.0.1:0");
    for (int i = 0; i < 3; i++) {
        client_connect(&clients[i]);
        assert_answered(&clients[i]);
        turn_for(20);
    }
    size_t before = clients[0].size;
    ck_assert_int_gt(send(clients[0].fd, HELLO, strlen(HELLO), 0), 0);
    client_await(&clients[0], &fixture, 2 * before, CLIENT_OPEN, 2000);
    client_connect(&clients[3]);
    assert_answered(&clients[3]);
    client_await(&clients[1], &fixture, 0, CLIENT_ENDED, 1000);
    ck_assert_int_eq(clients[1].end, CLIENT_ENDED);
    stop_all(clients, 4);
}
END_TEST

/* Uses up all descriptors but `spare`; returns the last one used. */
static int use_up_descriptors(int spare)
{
    int fd = dup(STDIN_FILENO), used = fd;
    for (; fd >= 0; fd = dup(STDIN_FILENO))
        used = fd;
    for (int i = 0; i < spare; i++)
        close(used - i);
    return used - spare;
}

START_TEST(without_a_descriptor_accepting_pauses_does_not_spin_and_goes_on)
{
    struct client clients[3];
    char log[] = "/tmp/test_listener-XXXXXX", options[64];
    close(mkstemp(log));
    struct rlimit limit = {64, 64};
    snprintf(options, sizeof(options), "--error-logfile %s", log);
    start(options, "127.0.0.1:0");
    for (int i = 0; i < 3; i++)
        client_connect(&clients[i]);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    int used = use_up_descriptors(1);
    assert_answered(&clients[0]);
    turn_for(250);
    ck_assert_uint_eq(fixture.loop->open_count, 1);
    ck_assert(fixture.loop->accepting_paused);
    /* While paused, the loop waits for its retry and not for the sockets. */
    uint64_t progress = scoreboard_get(fixture.row.progress), begun = clock_ms();
    while (clock_ms() - begun < 300)
        loop_turn(fixture.loop, true);
    ck_assert_uint_le(scoreboard_get(fixture.row.progress) - progress, 10);
    ck_assert_uint_eq(scoreboard_get(fixture.row.intake), INTAKE_NO_DESCRIPTORS);
    close(used);
    close(used - 1);
    assert_answered(&clients[1]);
    assert_answered(&clients[2]);
    ck_assert_uint_eq(scoreboard_get(fixture.row.intake), INTAKE_NO_DESCRIPTORS); /* the last ones went */
    close(used - 2);
    while (scoreboard_get(fixture.row.intake) != INTAKE_OPEN)
        fixture_turn(&fixture);
    for (int fd = used - 3; fd > clients[2].fd; fd--)
        if (fd != clients[0].fd)
            close(fd);
    struct stat status;
    ck_assert_int_eq(stat(log, &status), 0);
    ck_assert_int_gt(status.st_size, 0);
    ck_assert_int_lt(status.st_size, 200); /* told once */
    unlink(log);
    _exit(0); /* a process that closes descriptors by number should not go on */
}
END_TEST

START_TEST(a_closed_connection_ends_the_pause_before_the_retry)
{
    struct client clients[2];
    struct rlimit limit = {64, 64};
    start("", "127.0.0.1:0");
    client_connect(&clients[0]);
    client_connect(&clients[1]);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    use_up_descriptors(1);
    assert_answered(&clients[0]);
    turn_for(20);
    ck_assert(fixture.loop->accepting_paused);
    shutdown(clients[0].fd, SHUT_WR);
    while (fixture.loop->accepting_paused) {
        fixture_turn(&fixture);
        /* The turn that closes it goes on accepting, before the retry is due. */
        ck_assert(!fixture.loop->accepting_paused || fixture.loop->open_count > 0);
    }
    assert_answered(&clients[1]);
    _exit(0);
}
END_TEST

/* Clients that wait, or come later, belong to a successor. */
START_TEST(stopping_leaves_what_waits)
{
    struct client clients[4];
    start("--worker-connections 2", "127.0.0.1:0");
    for (int i = 0; i < 2; i++)
        client_begin(&clients[i]);
    fixture_await_open(&fixture, 2);
    for (int i = 2; i < 4; i++)
        client_connect(&clients[i]);
    turn_for(20);
    listeners_stop(listeners, false);
    for (int i = 0; i < 2; i++) {
        client_complete(&clients[i]);
        assert_answered(&clients[i]);
        client_close(&clients[i]);
    }
    fixture_await_open(&fixture, 0);
    turn_for(20);
    ck_assert_uint_eq(fixture.loop->open_count, 0);
    listeners_stop(listeners, true); /* there will be none */
    for (int i = 2; i < 4; i++)
        assert_answered(&clients[i]);
    stop_all(clients + 2, 2);
}
END_TEST

START_TEST(stopping_for_good_takes_clients_that_wait_and_refuses_later_ones)
{
    struct client clients[4];
    start("--worker-connections 2", "127.0.0.1:0");
    for (int i = 0; i < 2; i++)
        client_begin(&clients[i]);
    fixture_await_open(&fixture, 2);
    for (int i = 2; i < 4; i++)
        client_connect(&clients[i]);
    turn_for(20);
    listeners_stop(listeners, true);
    listeners_stop(listeners, true);
    listeners_stop(listeners, false);
    for (int i = 0; i < 2; i++)
        client_complete(&clients[i]);
    for (int i = 0; i < 4; i++)
        assert_answered(&clients[i]);
    struct client late = {.fd = socket(address.family, SOCK_STREAM, 0), .got = strdup("")};
    ck_assert_int_lt(connect(late.fd, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(errno, ECONNREFUSED);
    client_close(&late);
    stop_all(clients, 4);
}
END_TEST

START_TEST(a_socket_that_a_sibling_has_shut_is_left_alone)
{
    start("", "127.0.0.1:0");
    ck_assert_int_eq(shutdown(address.sockets[1], SHUT_RDWR), 0);
    turn_for(50); /* loop_broken would end the process */
    listeners_stop(listeners, true);
    stop_all(NULL, 0);
}
END_TEST

START_TEST(another_socket_in_its_place_is_the_end)
{
    int pair[2];
    start("", "127.0.0.1:0");
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_ge(dup(address.sockets[1]), 0); /* so that the loop still hears of it */
    shutdown(address.sockets[1], SHUT_RDWR);
    dup2(pair[0], address.sockets[1]);
    turn_for(50);
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    listeners_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, more_than_a_burst_is_accepted);
    unit_add_rows(tests, the_peer_is_known_by_address_and_port, peer_addresses);
    tcase_add_test(tests, a_unix_peer_has_no_address);
    tcase_add_test(tests, accepting_pauses_while_all_connections_are_in_use_and_goes_on);
    tcase_add_test(tests, the_end_of_a_request_makes_room_for_a_client_that_waits);
    tcase_add_test(tests, the_connection_that_idles_for_the_longest_time_is_closed_for_a_new_one);
    tcase_add_test(tests, without_a_descriptor_accepting_pauses_does_not_spin_and_goes_on);
    tcase_add_test(tests, a_closed_connection_ends_the_pause_before_the_retry);
    tcase_add_test(tests, stopping_leaves_what_waits);
    tcase_add_test(tests, stopping_for_good_takes_clients_that_wait_and_refuses_later_ones);
    tcase_add_test(tests, a_socket_that_a_sibling_has_shut_is_left_alone);
    tcase_add_exit_test(tests, another_socket_in_its_place_is_the_end, EXIT_FAILURE);
    tcase_add_test(tests, freeing_none_is_fine);
}

int main(void)
{
    return unit_run("net/listener", add);
}
