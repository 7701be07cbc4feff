/*
 * Addresses: every form and every mistake, and sockets that listen where they say.
 */
#include "net/address.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/test_address-XXXXXX";
static char path[64], bind_path[80];
static char message[256];
static struct address address;

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
    snprintf(bind_path, sizeof(bind_path), "unix:%s", path);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(directory);
}

static int parse(const char *text)
{
    return address_parse(&address, "--bind", text, message, sizeof(message));
}

static int listen_at(const char *text, unsigned slots)
{
    ck_assert_msg(parse(text) == 0, "%s", message);
    return address_listen(&address, slots, 16, message, sizeof(message));
}

static const struct {
    const char *text;
    int family;
    const char *server_name, *server_port;
    bool shared;
} forms[] = {
    {"127.0.0.1:8000", AF_INET, "127.0.0.1", "8000", false},
    {"localhost:0", 0, "localhost", "0", false},
    {":65535", AF_INET, "0.0.0.0", "65535", false},
    {"[::1]:8000", AF_INET6, "::1", "8000", false},
    {"[::]:80", AF_INET6, "::", "80", false},
    {"[]:80", AF_INET6, "::", "80", false},
    {"unix:/run/app.sock", AF_UNIX, "localhost", "80", true},
    {"unix:app.sock", AF_UNIX, "localhost", "80", true},
    {"unix:@app", AF_UNIX, "localhost", "80", true},
};

START_TEST(every_form_is_understood)
{
    ck_assert_msg(parse(forms[_i].text) == 0, "%s: %s", forms[_i].text, message);
    ck_assert_str_eq(address.text, forms[_i].text);
    ck_assert_str_eq(address.local.server_name, forms[_i].server_name);
    ck_assert_str_eq(address.local.server_port, forms[_i].server_port);
    ck_assert_int_eq(address.shared, forms[_i].shared);
    if (forms[_i].family != 0)
        ck_assert_int_eq(address.family, forms[_i].family);
    ck_assert_int_eq(address.path != NULL,
                     forms[_i].family == AF_UNIX && strchr(forms[_i].text, '@') == NULL);
    address_close(&address, true);
}
END_TEST

#define LONG "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
    const char *text, *says;
} mistakes[] = {
    {"", "port"},
    {"127.0.0.1", "port"},
    {"127.0.0.1:", "port"},
    {"127.0.0.1:http", "port"},
    {"127.0.0.1:65536", "port"},
    {"127.0.0.1:-1", "port"},
    {"127.0.0.1: 80", "port"},
    {"::1:8000", "brackets"},
    {"[::1:8000", "brackets"},
    {"[nonsense]:80", "resolved"},
    {"unix:", "path"},
    {"unix:" LONG LONG, "107"},
    {"fd://", "descriptor"},
    {"fd://x", "descriptor"},
    {"fd://99999999999", "descriptor"},
    {"fd://0", "listening socket"},
    {"fd://999", "listening socket"},
};

START_TEST(every_mistake_is_told)
{
    ck_assert_int_eq(parse(mistakes[_i].text), -1);
    ck_assert_msg(strstr(message, mistakes[_i].says) != NULL, "%s: %s", mistakes[_i].text, message);
    ck_assert_ptr_nonnull(strstr(message, mistakes[_i].text));
    address_close(&address, true);
}
END_TEST

static void assert_connects(const struct address *to)
{
    int fd = socket(to->family, SOCK_STREAM, 0);
    ck_assert_msg(connect(fd, (const struct sockaddr *)&to->socket_address, to->size) == 0, "%s: %m",
                  to->url);
    close(fd);
}

START_TEST(every_slot_has_its_socket_on_one_port)
{
    ck_assert_int_eq(listen_at("127.0.0.1:0", 3), 0);
    uint16_t port = ntohs(((struct sockaddr_in *)&address.socket_address)->sin_port);
    char url[64];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
    ck_assert_uint_ne(port, 0);
    ck_assert_str_eq(address.url, url);
    ck_assert_str_eq(address.local.server_port, strrchr(url, ':') + 1);
    for (unsigned slot = 0; slot < 3; slot++) {
        struct sockaddr_in bound;
        socklen_t size = sizeof(bound);
        int fd = address.sockets[slot];
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&bound, &size), 0);
        ck_assert_uint_eq(ntohs(bound.sin_port), port);
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
        ck_assert(slot == 0 || fd != address.sockets[slot - 1]);
    }
    assert_connects(&address);
    address_close(&address, true);
}
END_TEST

START_TEST(an_ipv6_address_is_in_brackets)
{
    ck_assert_int_eq(parse("[::1]:0"), 0);
    if (address_listen(&address, 1, 16, message, sizeof(message)) == 0) /* not every machine has IPv6 */
        ck_assert_int_eq(strncmp(address.url, "http://[::1]:", 13), 0);
    address_close(&address, true);
}
END_TEST

START_TEST(an_address_in_use_is_told)
{
    char again[64];
    ck_assert_int_eq(listen_at("127.0.0.1:0", 1), 0);
    struct address first = address;
    snprintf(again, sizeof(again), "127.0.0.1:%s", first.local.server_port);
    ck_assert_int_eq(listen_at(again, 2), -1);
    ck_assert_ptr_nonnull(strstr(message, again));
    ck_assert_ptr_nonnull(strstr(message, "in use"));
    address_close(&address, true);
    address_close(&first, true);
}
END_TEST

START_TEST(a_port_is_free_again_after_close)
{
    char again[64];
    ck_assert_int_eq(listen_at("127.0.0.1:0", 2), 0);
    snprintf(again, sizeof(again), "127.0.0.1:%s", address.local.server_port);
    address_close(&address, true);
    ck_assert_msg(listen_at(again, 2) == 0, "%s", message);
    address_close(&address, true);
}
END_TEST

START_TEST(a_unix_socket_is_shared_and_removed_with_its_file)
{
    ck_assert_msg(listen_at(bind_path, 2) == 0, "%s", message);
    ck_assert_int_eq(address.sockets[0], address.sockets[1]);
    ck_assert_str_eq(address.url, bind_path);
    assert_connects(&address);
    address_close(&address, true);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_unix_socket_may_be_left_behind_and_replaced)
{
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    address_close(&address, false);
    ck_assert_int_eq(access(path, F_OK), 0);
    ck_assert_msg(listen_at(bind_path, 1) == 0, "%s", message);
    assert_connects(&address);
    address_close(&address, true);
}
END_TEST

START_TEST(a_living_unix_socket_is_not_taken_nor_removed)
{
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    struct address first = address;
    ck_assert_int_eq(listen_at(bind_path, 1), -1);
    ck_assert_ptr_nonnull(strstr(message, "in use"));
    address_close(&address, true);
    assert_connects(&first);
    address_close(&first, true);
}
END_TEST

START_TEST(a_socket_file_is_given_away)
{
    struct stat status;
    uid_t user = geteuid() == 0 ? 54321 : geteuid();
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    ck_assert_int_eq(address_give(&address, user, (gid_t)-1), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, user);
    ck_assert_uint_eq(status.st_gid, getegid());
    address_close(&address, true);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(what_took_the_place_of_a_socket_file_is_not_given_away)
{
    struct stat status;
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/dev/null", path), 0);
    ck_assert_int_eq(address_give(&address, 54321, 54321), 0);
    ck_assert_int_eq(lstat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, geteuid());
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, 0);
    address_close(&address, true);
}
END_TEST

static ino_t inode_of(const char *name)
{
    struct stat status;
    return lstat(name, &status) == 0 ? status.st_ino : 0;
}

static int renew(void)
{
    message[0] = '\0';
    return address_renew(&address, 16, (uid_t)-1, (gid_t)-1, message, sizeof(message));
}

START_TEST(a_file_that_is_gone_is_made_anew_and_the_old_queue_stays)
{
    ck_assert_int_eq(listen_at(bind_path, 2), 0);
    int old = address.sockets[0];
    int waiting = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(waiting, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(renew(), 0);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_msg(renew() == 1, "%s", message);
    ck_assert_int_eq(address.previous, old);
    ck_assert_int_ne(address.sockets[0], old);
    ck_assert_int_eq(address.sockets[1], address.sockets[0]);
    ck_assert_int_ge(accept(old, NULL, NULL), 0);
    assert_connects(&address);
    ck_assert_int_eq(renew(), 0);
    ck_assert_int_eq(address.previous, 0);
    ck_assert_int_eq(fcntl(old, F_GETFD), -1);
    address_close(&address, true);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

START_TEST(a_renewal_is_taken_back)
{
    char moved[80];
    snprintf(moved, sizeof(moved), "%s.moved", path);
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    int old = address.sockets[0];
    ino_t inode = inode_of(path);
    address_revert(&address);
    ck_assert_uint_eq(inode_of(path), inode);
    ck_assert_int_eq(rename(path, moved), 0);
    ck_assert_msg(renew() == 1, "%s", message);
    address_revert(&address);
    ck_assert_uint_eq(inode_of(path), 0);
    ck_assert_int_eq(address.sockets[0], old);
    ck_assert_int_eq(rename(moved, path), 0);
    assert_connects(&address);
    address_close(&address, true);
    ck_assert_uint_eq(inode_of(path), 0);
}
END_TEST

START_TEST(what_has_the_name_by_now_is_left)
{
    ck_assert_int_eq(listen_at(bind_path, 1), 0);
    int old = address.sockets[0];
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(renew(), -1);
    ck_assert_ptr_nonnull(strstr(message, "a file that is no socket has this name"));
    ck_assert_int_eq(address.sockets[0], old);
    address_close(&address, true);
    ck_assert_int_eq(rmdir(path), 0);
}
END_TEST

START_TEST(a_relative_path_is_one_in_the_directory_that_is_said)
{
    char deep[64 + 120];
    ck_assert_int_eq(parse("unix:socket"), 0);
    address_resolve_path(&address, directory);
    ck_assert_str_eq(address.path, path);
    ck_assert_str_eq(address.text, "unix:socket");
    ck_assert_int_eq(address_listen(&address, 1, 16, message, sizeof(message)), 0);
    ck_assert_uint_ne(inode_of(path), 0);
    assert_connects(&address);
    address_close(&address, true);
    /* Longer than a socket's path may be. */
    snprintf(deep, sizeof(deep), "%s/%0110d", directory, 1);
    ck_assert_int_eq(mkdir(deep, 0700), 0);
    ck_assert_int_eq(parse("unix:socket"), 0);
    address_resolve_path(&address, deep);
    ck_assert_msg(address_listen(&address, 1, 16, message, sizeof(message)) == 0, "%s", message);
    ck_assert_uint_ne(inode_of(address.path), 0);
    address_close(&address, true);
    ck_assert_int_eq(rmdir(deep), 0);
}
END_TEST

START_TEST(where_there_is_no_file_none_is_given_away)
{
    ck_assert_int_eq(listen_at("127.0.0.1:0", 1), 0);
    ck_assert_int_eq(address_give(&address, 54321, 54321), 0);
    address_close(&address, true);
}
END_TEST

START_TEST(another_kind_of_file_is_not_removed)
{
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    close(fd);
    ck_assert_int_eq(listen_at(bind_path, 1), -1);
    address_close(&address, true);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(an_abstract_socket_has_no_file)
{
    char text[64];
    snprintf(text, sizeof(text), "unix:@gateway-test-%d", (int)getpid());
    ck_assert_msg(listen_at(text, 2) == 0, "%s", message);
    ck_assert_str_eq(address.url, text);
    assert_connects(&address);
    address_close(&address, true);
}
END_TEST

static const char *const adoptable[] = {"127.0.0.1:0", "localhost:0", "unix:@NAME", "unix:PATH"};

START_TEST(sockets_are_adopted_as_they_are)
{
    struct address other;
    char name[64];
    snprintf(name, sizeof(name), "unix:@test_address-%d", (int)getpid());
    const char *text = strcmp(adoptable[_i], "unix:PATH") == 0    ? bind_path
                       : strcmp(adoptable[_i], "unix:@NAME") == 0 ? name
                                                                  : adoptable[_i];
    ck_assert_int_eq(listen_at(text, 2), 0);
    unsigned count = address.shared ? 1 : 2;
    ck_assert_int_eq(address_adopt(&other, "--bind", text, address.sockets, count, 2), 0);
    ck_assert_str_eq(other.text, text);
    ck_assert_str_eq(other.url, address.url);
    ck_assert_str_eq(other.local.server_name, address.local.server_name);
    ck_assert_str_eq(other.local.server_port, address.local.server_port);
    ck_assert(other.family == address.family && other.shared == address.shared && other.slots == 2);
    ck_assert(other.sockets[0] == address.sockets[0] && other.sockets[1] == address.sockets[1]);
    ck_assert(other.path == NULL ? address.path == NULL : strcmp(other.path, address.path) == 0);
    assert_connects(&other);
    address_close(&other, false);
}
END_TEST

START_TEST(for_what_is_no_address_nothing_is_adopted)
{
    int fd = STDIN_FILENO;
    ck_assert_int_lt(address_adopt(&address, "--bind", "nowhere", &fd, 1, 1), 0);
}
END_TEST

START_TEST(an_inherited_socket_is_described_and_made_non_blocking)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    char text[32];
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    snprintf(text, sizeof(text), "fd://%d", fd);
    ck_assert_msg(listen_at(text, 2) == 0, "%s", message);
    ck_assert_int_eq(address.sockets[1], fd);
    ck_assert_int_eq(strncmp(address.url, "http://127.0.0.1:", 17), 0);
    ck_assert_str_eq(address.local.server_name, "127.0.0.1");
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    int no_delay = 0;
    socklen_t no_delay_size = sizeof(no_delay);
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &no_delay, &no_delay_size), 0);
    ck_assert_int_ne(no_delay, 0);
    assert_connects(&address);
    address_close(&address, true);
}
END_TEST

/* "%d" is the number of this process: other runs of the tests have names, too. */
static const struct {
    const char *name;
    bool abstract;
} passed[] = {
    {"/tmp/test_address-passed-%d", false},
    {"@gateway-test-passed-%d", true},
};

START_TEST(an_inherited_unix_socket_is_named_and_left_in_its_place)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    char text[32], name[64];
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    size_t size = (size_t)snprintf(name, sizeof(name), passed[_i].name, (int)getpid());
    memcpy(un.sun_path, name, size + 1);
    if (passed[_i].abstract)
        un.sun_path[0] = '\0';
    unlink(name);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&un,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size + !passed[_i].abstract)),
                     0);
    ck_assert_int_eq(listen(fd, 1), 0);
    snprintf(text, sizeof(text), "fd://%d", fd);
    ck_assert_msg(listen_at(text, 2) == 0, "%s", message);
    ck_assert(strncmp(address.url, "unix:", 5) == 0 && strcmp(address.url + 5, name) == 0);
    ck_assert_str_eq(address.local.server_name, "localhost");
    ck_assert_int_eq(address_give(&address, 54321, 54321), 0);
    address_close(&address, true);
    ck_assert_int_eq(access(name, F_OK) == 0, !passed[_i].abstract);
    unlink(name);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, every_form_is_understood, forms);
    unit_add_rows(tests, every_mistake_is_told, mistakes);
    tcase_add_test(tests, every_slot_has_its_socket_on_one_port);
    tcase_add_test(tests, an_ipv6_address_is_in_brackets);
    tcase_add_test(tests, an_address_in_use_is_told);
    tcase_add_test(tests, a_port_is_free_again_after_close);
    tcase_add_test(tests, a_unix_socket_is_shared_and_removed_with_its_file);
    tcase_add_test(tests, a_unix_socket_may_be_left_behind_and_replaced);
    tcase_add_test(tests, a_living_unix_socket_is_not_taken_nor_removed);
    tcase_add_test(tests, a_socket_file_is_given_away);
    tcase_add_test(tests, what_took_the_place_of_a_socket_file_is_not_given_away);
    tcase_add_test(tests, a_file_that_is_gone_is_made_anew_and_the_old_queue_stays);
    tcase_add_test(tests, a_renewal_is_taken_back);
    tcase_add_test(tests, what_has_the_name_by_now_is_left);
    tcase_add_test(tests, a_relative_path_is_one_in_the_directory_that_is_said);
    tcase_add_test(tests, where_there_is_no_file_none_is_given_away);
    tcase_add_test(tests, another_kind_of_file_is_not_removed);
    tcase_add_test(tests, an_abstract_socket_has_no_file);
    unit_add_rows(tests, sockets_are_adopted_as_they_are, adoptable);
    tcase_add_test(tests, for_what_is_no_address_nothing_is_adopted);
    tcase_add_test(tests, an_inherited_socket_is_described_and_made_non_blocking);
    unit_add_rows(tests, an_inherited_unix_socket_is_named_and_left_in_its_place, passed);
}

int main(void)
{
    return unit_run("net/address", add);
}
