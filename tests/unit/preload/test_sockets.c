/* Sockets that were opened since a given moment, in words. */
#include "preload/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static struct sockets before;
static char unix_name[64];

static void set_up(void)
{
    ck_assert_int_ge(socket(AF_UNIX, SOCK_STREAM, 0), 0); /* known already */
    sockets_note(&before);
}

static void tear_down(void)
{
    sockets_fini(&before);
}

static const char *list(void)
{
    static struct listing listing;
    listing = (struct listing){0};
    sockets_list_new(&before, &listing);
    return listing_end(&listing);
}

static int listen_at(int family, int type, uint16_t *port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const void *address = family == AF_INET ? (const void *)&v4 : (const void *)&v6;
    socklen_t size = family == AF_INET ? sizeof(v4) : sizeof(v6);
    int fd = socket(family, type, 0);
    ck_assert_int_eq(bind(fd, address, size), 0);
    ck_assert(type == SOCK_DGRAM || listen(fd, 1) == 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&v6, &size), 0);
    *port = ntohs(v6.sin6_port); /* the length that both have before it */
    return fd;
}

START_TEST(what_was_open_before_is_not_listed)
{
    ck_assert_uint_ge(before.count, 1);
    ck_assert_str_eq(list(), "");
}
END_TEST

static const struct {
    int family, type;
    const char *text;
} own[] = {
    {AF_INET, SOCK_STREAM, "127.0.0.1:%u (listening)"},
    {AF_INET6, SOCK_STREAM, "[::1]:%u (listening)"},
    {AF_INET, SOCK_DGRAM, "127.0.0.1:%u (datagrams)"},
};

START_TEST(a_socket_without_a_peer_is_named_by_its_own_address)
{
    uint16_t port;
    char expected[64];
    int fd = listen_at(own[_i].family, own[_i].type, &port);
    snprintf(expected, sizeof(expected), own[_i].text, port);
    ck_assert_int_ge(dup(fd), 0); /* once is enough */
    ck_assert_str_eq(list(), expected);
}
END_TEST

START_TEST(a_connection_is_named_by_its_peer)
{
    uint16_t port;
    char expected[64];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    listen_at(AF_INET, SOCK_STREAM, &port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons(port);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    snprintf(expected, sizeof(expected), "127.0.0.1:%u (listening), 127.0.0.1:%u", port, port);
    ck_assert_str_eq(list(), expected);
}
END_TEST

static const char *const names[][2] = {
    {"%s", "unix:%s"},
    {"@%s", "unix:@%s"},
};

START_TEST(a_unix_socket_is_named_by_its_name)
{
    char expected[128];
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(unix_name, sizeof(unix_name), "/tmp/gateway-unit-sockets-%d", (int)getpid());
    int length = snprintf(address.sun_path, sizeof(address.sun_path), names[_i][0], unix_name);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)length);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, size), 0);
    unlink(unix_name);
    close(listener);
    snprintf(expected, sizeof(expected), names[_i][1], unix_name);
    ck_assert_str_eq(list(), expected);
}
END_TEST

START_TEST(a_pair_is_two_sockets_without_a_name)
{
    int pair[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_str_eq(list(), "a unix socket without a name, a unix socket without a name");
}
END_TEST

START_TEST(other_families_have_a_number)
{
    ck_assert_int_ge(socket(AF_NETLINK, SOCK_RAW, 0), 0);
    ck_assert_str_eq(list(), "a socket of family 16");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_was_open_before_is_not_listed);
    unit_add_rows(tests, a_socket_without_a_peer_is_named_by_its_own_address, own);
    tcase_add_test(tests, a_connection_is_named_by_its_peer);
    unit_add_rows(tests, a_unix_socket_is_named_by_its_name, names);
    tcase_add_test(tests, a_pair_is_two_sockets_without_a_name);
    tcase_add_test(tests, other_families_have_a_number);
}

int main(void)
{
    return unit_run("preload/sockets", add);
}
