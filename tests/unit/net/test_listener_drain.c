/*
 * The listener drain: clients on their way in arrive, and no others. The kernel tells when all have
 * arrived.
 */
#include "net/listener_drain.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static struct address address;

static void open_address(const char *text)
{
    char message[256];
    ck_assert_msg(address_parse(&address, "--bind", text, message, sizeof(message)) == 0, "%s", message);
    ck_assert_msg(address_listen(&address, 2, 64, message, sizeof(message)) == 0, "%s", message);
}

/* Connects. True when the kernel answers within a moment. */
static bool knock(int *fd)
{
    *fd = socket(address.family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(*fd, 0);
    connect(*fd, (const struct sockaddr *)&address.socket_address, address.size);
    struct pollfd answer = {.fd = *fd, .events = POLLOUT};
    return poll(&answer, 1, 200) == 1;
}

/* The number of connections that can be accepted on all sockets. */
static int accept_all(void)
{
    int count = 0;
    for (unsigned i = 0; i < address.slots; i++) {
        int fd;
        fcntl(address.sockets[i], F_SETFL, O_NONBLOCK);
        while ((fd = accept(address.sockets[i], NULL, NULL)) >= 0) {
            close(fd);
            count++;
        }
    }
    return count;
}

static bool await_quiet(uint64_t ms)
{
    uint64_t end = clock_ms() + ms;
    while (!listener_drain_is_quiet(&address, 1)) {
        if (clock_ms() > end)
            return false;
        usleep(5000);
    }
    return true;
}

static const char *const tcp[] = {"127.0.0.1:0", "[::1]:0"};

START_TEST(clients_on_their_way_in_arrive_and_no_others)
{
    int speaks, silent, late;
    open_address(tcp[_i]);
    ck_assert(listener_drain_is_quiet(&address, 1));
    ck_assert(knock(&speaks));
    ck_assert_int_eq(send(speaks, "x", 1, 0), 1);
    ck_assert(knock(&silent));
    ck_assert_msg(!listener_drain_is_quiet(&address, 1), "the silent one waits for its first bytes");
    listener_drain_begin(&address, 1);
    ck_assert_msg(!knock(&late), "nobody answers");
    ck_assert(await_quiet(3000));
    ck_assert_int_eq(accept_all(), 2);
    close(speaks);
    close(silent);
    close(late);
    address_close(&address, true);
}
END_TEST

START_TEST(a_unix_domain_socket_has_no_handshake)
{
    int client;
    char text[64];
    snprintf(text, sizeof(text), "unix:@door-of-a-test-%d", (int)getpid());
    open_address(text);
    listener_drain_begin(&address, 1);
    ck_assert(listener_drain_is_quiet(&address, 1));
    ck_assert(knock(&client));
    ck_assert_int_eq(accept_all(), 1);
    close(client);
    address_close(&address, true);
}
END_TEST

START_TEST(a_handshake_with_another_port_is_not_ours)
{
    struct address other;
    int client;
    open_address("127.0.0.1:0");
    other = address;
    open_address("127.0.0.1:0");
    ck_assert(knock(&client));
    ck_assert(!listener_drain_is_quiet(&address, 1));
    ck_assert(listener_drain_is_quiet(&other, 1));
    close(client);
    address_close(&address, true);
    address_close(&other, true);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, clients_on_their_way_in_arrive_and_no_others, tcp);
    tcase_add_test(tests, a_unix_domain_socket_has_no_handshake);
    tcase_add_test(tests, a_handshake_with_another_port_is_not_ours);
}

int main(void)
{
    return unit_run("net/listener_drain", add);
}
