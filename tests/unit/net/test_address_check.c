/*
 * Whether an address can be listened on, and which addresses exclude each other. A server that
 * listens there notices nothing.
 */
#include "net/address_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/test_address_check-XXXXXX";
static char message[256];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void tear_down(void)
{
    ck_assert_msg(rmdir(directory) == 0, "something is left");
}

static struct address parsed(const char *text)
{
    struct address address;
    ck_assert_msg(address_parse(&address, "--bind", text, message, sizeof(message)) == 0, "%s", message);
    return address;
}

static int check(const char *text)
{
    char own[64];
    snprintf(own, sizeof(own), text, (int)getpid()); /* other runs of the tests have names, too */
    struct address address = parsed(own);
    int r = address_check(&address, message, sizeof(message));
    int error = errno;
    address_close(&address, true);
    errno = error;
    return r;
}

static const char *const good[] = {
    "127.0.0.1:0", ":8000", "unix:socket", "unix:@gateway-test-check-%d", "unix:/tmp/test_address_check-%d",
};

START_TEST(what_could_be_listened_on_is_good)
{
    ck_assert_msg(check(good[_i]) == 0, "%s", message);
}
END_TEST

static const struct {
    const char *text, *says;
} mistakes[] = {
    {"192.0.2.1:80", "192.0.2.1:80 cannot be bound: Cannot assign requested address"},
    {"192.0.2.1:0", "192.0.2.1:0 cannot be bound: Cannot assign requested address"},
    {"unix:nosuch/socket", "unix:nosuch/socket cannot be bound: No such file or directory"},
    {"unix:/etc/passwd", "a file that is no socket has this name"},
};

START_TEST(what_could_not_is_told_as_it_would_be)
{
    ck_assert_int_eq(check(mistakes[_i].text), -1);
    ck_assert_msg(strstr(message, mistakes[_i].says) != NULL, "%s", message);
}
END_TEST

START_TEST(a_port_may_need_rights)
{
    FILE *file = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");
    int start = 1024;
    if (file != NULL) {
        ck_assert_int_eq(fscanf(file, "%d", &start), 1);
        fclose(file);
    }
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    int r = check("127.0.0.1:1");
    ck_assert(getuid() != 0 || seteuid(0) == 0);
    ck_assert_int_eq(r, start > 1 ? -1 : 0);
    ck_assert(r == 0 || strstr(message, "CAP_NET_BIND_SERVICE") != NULL);
}
END_TEST

static const char *const kinds[] = {"127.0.0.1:0", "unix:socket", "unix:@gateway-test-taken-%d"};

START_TEST(one_in_use_is_good_and_stays_in_use)
{
    char text[64];
    snprintf(text, sizeof(text), kinds[_i], (int)getpid());
    struct address first = parsed(text);
    ck_assert_int_eq(address_listen(&first, 2, 16, message, sizeof(message)), 0);
    if (first.family == AF_INET)
        snprintf(text, sizeof(text), "127.0.0.1:%s", first.local.server_port);
    ck_assert_msg(check(text) == 0, "%s", message);
    int fd = socket(first.family, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&first.socket_address, first.size), 0);
    close(fd);
    address_close(&first, true);
}
END_TEST

static const struct {
    const char *first, *second;
    bool overlap;
} pairs[] = {
    {"127.0.0.1:8000", "127.0.0.1:8000", true},
    {"127.0.0.1:8000", "127.0.0.1:8001", false},
    {"127.0.0.1:8000", "127.0.0.2:8000", false},
    {"127.0.0.1:0", "127.0.0.1:0", false},
    {":8000", "127.0.0.1:8000", true},
    {"127.0.0.1:8000", "0.0.0.0:8000", true},
    {"[::1]:8000", "[::1]:8000", true},
    {"[::]:8000", "[::1]:8000", true},
    {"[::1]:8000", "127.0.0.1:8000", false},
    {"[::1]:8000", ":8000", false},
    {"[::ffff:127.0.0.1]:8000", "127.0.0.1:8000", true},
    {"unix:a", "unix:a", true},
    {"unix:a", "unix:./a", true},
    {"unix:a", "unix:b", false},
    {"unix:a", "unix:/tmp/a", false},
    {"unix:a", "unix:@a", false},
    {"unix:@a", "unix:@a", true},
    {"unix:@a", "unix:@b", false},
    {"unix:nosuch/a", "unix:nosuch/a", false},
    {"unix:a", "127.0.0.1:8000", false},
};

START_TEST(one_may_be_in_the_way_of_the_other)
{
    struct address first = parsed(pairs[_i].first), second = parsed(pairs[_i].second);
    ck_assert(address_overlaps(&first, &second) == pairs[_i].overlap);
    ck_assert(address_overlaps(&second, &first) == pairs[_i].overlap);
    address_close(&first, true);
    address_close(&second, true);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, what_could_be_listened_on_is_good, good);
    unit_add_rows(tests, what_could_not_is_told_as_it_would_be, mistakes);
    tcase_add_test(tests, a_port_may_need_rights);
    unit_add_rows(tests, one_in_use_is_good_and_stays_in_use, kinds);
    unit_add_rows(tests, one_may_be_in_the_way_of_the_other, pairs);
}

int main(void)
{
    return unit_run("net/address_check", add);
}
