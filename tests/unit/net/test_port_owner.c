/*
 * The owner of a port: this process, with every form of address.
 */
#include "net/port_owner.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "net/address.h"
#include "unit.h"

static char directory[] = "/tmp/test_occupant-XXXXXX";
static char own[32], socket_file[32], pid[16];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    snprintf(pid, sizeof(pid), "%ld", (long)getpid());
    snprintf(own, sizeof(own), "process %s (", pid);
    snprintf(socket_file, sizeof(socket_file), "socket-%s", pid);
}

static void tear_down(void)
{
    unlink(socket_file);
    rmdir(directory);
}

/* "%s" is the port of `taken`; in names it is the number of this process, because other tests run
 * beside it. */
static const struct {
    const char *name, *taken, *wanted;
    bool found;
} cases[] = {
    {"the same IPv4 address", "127.0.0.1:0", "127.0.0.1:%s", true},
    {"every address taken, one wanted", "0.0.0.0:0", "127.0.0.1:%s", true},
    {"one taken, every address wanted", "127.0.0.1:0", ":%s", true},
    {"another address of the same port", "127.0.0.1:0", "127.0.0.2:%s", false},
    {"another port", "127.0.0.1:0", "127.0.0.1:1", false},
    {"the same IPv6 address", "[::1]:0", "[::1]:%s", true},
    {"every address of IPv6 and IPv4 taken", "[::]:0", "127.0.0.1:%s", true},
    {"a socket file", "unix:socket-%s", "unix:socket-%s", true},
    {"another socket file", "unix:socket-%s", "unix:socket2-%s", false},
    {"an abstract name", "unix:@test-occupant-%s", "unix:@test-occupant-%s", true},
    {"the same name as a file", "unix:@test-occupant-%s", "unix:test-occupant-%s", false},
};

/* Another process, which has none of our sockets: its result is in `who`. */
static bool find_in_child(const struct address *taken, const struct address *wanted, char *who, size_t size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        close(taken->sockets[0]);
        bool found =
            port_owner_find((const struct sockaddr *)&wanted->socket_address, wanted->size, who, size);
        _exit(write(ends[1], who, strlen(who) + 1) > 0 && found ? 1 : 0);
    }
    int status;
    close(ends[1]);
    ck_assert_int_gt(read(ends[0], who, size), 0);
    close(ends[0]);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status) == 1;
}

START_TEST(the_listening_process_is_found)
{
    struct address taken, wanted;
    char text[64], message[256], who[128] = "before";
    bool is_name = strncmp(cases[_i].taken, "unix:", 5) == 0;
    snprintf(text, sizeof(text), cases[_i].taken, pid);
    ck_assert_msg(address_parse(&taken, "--bind", text, message, sizeof(message)) == 0, "%s", message);
    if (address_listen(&taken, 1, 1, message, sizeof(message)) < 0) {
        ck_assert_msg(strstr(cases[_i].taken, "::") != NULL, "%s",
                      message); /* there are machines without IPv6 */
        return;
    }
    snprintf(text, sizeof(text), cases[_i].wanted, is_name ? pid : taken.local.server_port);
    ck_assert_msg(address_parse(&wanted, "--bind", text, message, sizeof(message)) == 0, "%s", message);
    bool found = find_in_child(&taken, &wanted, who, sizeof(who));
    ck_assert_msg(found == cases[_i].found, "%s: %s", cases[_i].name, who);
    ck_assert_msg(found ? strncmp(who, own, strlen(own)) == 0 : who[0] == '\0', "%s: %s", cases[_i].name,
                  who);
    /* "Stop that process" is no advice for the process itself. */
    ck_assert(
        !port_owner_find((const struct sockaddr *)&wanted.socket_address, wanted.size, who, sizeof(who)));
    ck_assert_str_eq(who, "");
    address_close(&wanted, false);
    address_close(&taken, true);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_listening_process_is_found, cases);
}

int main(void)
{
    return unit_run("net/port_owner", add);
}
