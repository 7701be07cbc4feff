/*
 * The control socket: whose it is, the form of requests and answers, and clients that behave badly.
 */
#include "control/control_socket.h"

#include <sys/stat.h>

#include "control/control_fixture.h"
#include "options/control_verbs.h"

static struct control_socket *server;
static char request[CONTROL_REQUEST_MAX + 1], message[256];

/* The request says how it is answered. */
static void asked(void *context, struct control_client *client, struct slice line)
{
    static const char text[] = "one\n\n\"two\" \\\nok";
    (void)context;
    memcpy(request, line.data, line.size);
    request[line.size] = '\0';
    if (strcmp(request, "wait") == 0) {
        control_wait(client, CONTROL_RELOAD, 5);
        return;
    }
    control_say(client, "failed: %s", "\033[1m\nok");
    control_say_lines(client, (struct slice){text, sizeof(text) - 1});
    if (strcmp(request, "fail") == 0)
        control_fail(client, "the %s\n", "reason");
    else
        control_succeed(client);
}

static void set_up(void)
{
    control_set_up();
    server = control_socket_open(control_base, control_path, NULL, asked, NULL, message, sizeof(message));
    ck_assert_msg(server != NULL, "%s", message);
}

static void tear_down(void)
{
    control_socket_close(server);
    control_tear_down();
}

#define DATA " failed: \\x1b[1m\\x0aok\n one\n \n \"two\" \\\n ok\n"

static const struct {
    const char *name, *sent, *request, *answer;
} cases[] = {
    {"a line", "hello\n", "hello", DATA "ok\n"},
    {"as terminals send it", "hello\r\n", "hello", DATA "ok\n"},
    {"an empty line", "\n", "", DATA "ok\n"},
    {"what comes after the line is nobody's", "hello\nstop\nstop\n", "hello", DATA "ok\n"},
    {"a failure", "fail\n", "fail", DATA "failed: the reason\\x0a\n"},
};

START_TEST(an_answer_is_indented_lines_and_one_that_is_not)
{
    const char *answer = control_ask(cases[_i].sent);
    ck_assert_str_eq(request, cases[_i].request);
    ck_assert_str_eq(answer, cases[_i].answer);
}
END_TEST

START_TEST(a_request_may_come_in_pieces)
{
    int fd = control_begin("hel");
    ck_assert(!control_has_come(fd));
    ck_assert_int_eq(send(fd, "lo\n", 3, 0), 3);
    ck_assert_str_eq(control_end(fd), DATA "ok\n");
    ck_assert_str_eq(request, "hello");
}
END_TEST

START_TEST(a_request_that_is_too_long_is_refused)
{
    char line[CONTROL_REQUEST_MAX + 3];
    memset(line, 'x', sizeof(line));
    strcpy(line + CONTROL_REQUEST_MAX, "\n");
    ck_assert_str_eq(control_ask(line), DATA "ok\n");
    strcpy(line + CONTROL_REQUEST_MAX, "x\n");
    ck_assert_str_eq(control_ask(line), "failed: a request is one line of at most 255 bytes\n");
}
END_TEST

START_TEST(an_answer_that_is_owed_comes_when_it_is_there)
{
    int fd = control_begin("wait\n");
    ck_assert(!control_has_come(fd));
    ck_assert_ptr_null(control_waiting(server, CONTROL_STACKS, 5));
    ck_assert_ptr_null(control_waiting(server, CONTROL_RELOAD, 4));
    struct control_client *client = control_waiting(server, CONTROL_RELOAD, 5);
    ck_assert_ptr_nonnull(client);
    control_succeed(client);
    ck_assert_str_eq(control_end(fd), "ok\n");
    ck_assert_ptr_null(control_waiting(server, CONTROL_RELOAD, 5));
}
END_TEST

START_TEST(who_goes_away_waits_no_longer)
{
    close(control_begin("wait\n"));
    control_turn();
    ck_assert_ptr_null(control_waiting(server, CONTROL_RELOAD, 5));
}
END_TEST

START_TEST(who_has_only_nothing_more_to_say_still_waits)
{
    int fd = control_begin("wait\n");
    shutdown(fd, SHUT_WR);
    control_turn();
    struct control_client *client = control_waiting(server, CONTROL_RELOAD, 5);
    ck_assert_ptr_nonnull(client);
    control_fail(client, "no");
    ck_assert_str_eq(control_end(fd), "failed: no\n");
}
END_TEST

START_TEST(who_had_nothing_more_to_say_and_goes_waits_no_longer)
{
    int fd = control_begin("wait\n");
    shutdown(fd, SHUT_WR);
    control_turn();
    ck_assert_ptr_nonnull(control_waiting(server, CONTROL_RELOAD, 5));
    close(fd);
    for (int i = 0; i < 30 && control_waiting(server, CONTROL_RELOAD, 5) != NULL; i++) {
        usleep(100 * 1000);
        control_turn();
    }
    ck_assert_ptr_null(control_waiting(server, CONTROL_RELOAD, 5));
    ck_assert(control_socket_is_quiet(server));
}
END_TEST

/* The oldest of the silent ones make room, and nobody else. */
START_TEST(many_silent_clients_keep_nobody_out)
{
    int silent[100];
    int waits = control_begin("wait\n");
    for (int i = 0; i < 100; i++) {
        silent[i] = control_connect();
        control_turn();
    }
    ck_assert_str_eq(control_ask("hello\n"), DATA "ok\n");
    ck_assert_ptr_nonnull(control_waiting(server, CONTROL_RELOAD, 5));
    for (int i = 0; i < 100; i++)
        close(silent[i]);
    close(waits);
}
END_TEST

START_TEST(when_all_wait_the_next_is_told)
{
    int waits[32];
    for (int i = 0; i < 32; i++)
        waits[i] = control_begin("wait\n");
    ck_assert_str_eq(control_end(control_connect()),
                     "failed: too many others are being answered; try again\n");
    close(waits[7]);
    control_turn();
    ck_assert_str_eq(control_ask("hello\n"), DATA "ok\n");
    for (int i = 0; i < 32; i++)
        if (i != 7)
            close(waits[i]);
}
END_TEST

START_TEST(the_file_is_the_owners_alone_and_goes_with_the_service)
{
    struct stat status;
    ck_assert_int_eq(lstat(control_path, &status), 0);
    ck_assert(S_ISSOCK(status.st_mode));
    ck_assert_uint_eq(status.st_mode & 07777, 0600);
    ck_assert_uint_eq(umask(022), 022);
    int fd = control_begin("wait\n");
    control_socket_close(server);
    ck_assert_str_eq(control_end(fd), "failed: the service has ended\n");
    ck_assert_int_eq(lstat(control_path, &status), -1);
    server = control_socket_open(control_base, control_path, NULL, asked, NULL, message, sizeof(message));
}
END_TEST

START_TEST(a_living_service_is_not_replaced_and_a_dead_ones_file_is)
{
    struct control_socket *other =
        control_socket_open(control_base, control_path, NULL, asked, NULL, message, sizeof(message));
    ck_assert_ptr_null(other);
    ck_assert_ptr_nonnull(strstr(message, "another service listens there"));
    control_turn();
    ck_assert_str_eq(control_ask("hello\n"), DATA "ok\n");
    /* As a service that was killed leaves it. */
    char stale[80];
    snprintf(stale, sizeof(stale), "%s/stale", control_directory);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strcpy(address.sun_path, stale);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    close(fd);
    other = control_socket_open(control_base, stale, NULL, asked, NULL, message, sizeof(message));
    ck_assert_msg(other != NULL, "%s", message);
    control_socket_close(other);
}
END_TEST

START_TEST(a_path_that_is_too_long_is_explained)
{
    char path[150];
    memset(path, 'x', sizeof(path));
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    ck_assert_ptr_null(control_socket_open(control_base, path, NULL, asked, NULL, message, sizeof(message)));
    ck_assert_ptr_nonnull(strstr(message, "at most 107 bytes"));
}
END_TEST

START_TEST(a_child_lets_go_of_everything)
{
    int fd = control_begin("wait\n");
    control_socket_forget(server);
    ck_assert_str_eq(control_end(fd), "");
    unlink(control_path);
    rmdir(control_directory);
    _exit(0); /* a child never comes back to it */
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, an_answer_is_indented_lines_and_one_that_is_not, cases);
    tcase_add_test(tests, a_request_may_come_in_pieces);
    tcase_add_test(tests, a_request_that_is_too_long_is_refused);
    tcase_add_test(tests, an_answer_that_is_owed_comes_when_it_is_there);
    tcase_add_test(tests, who_goes_away_waits_no_longer);
    tcase_add_test(tests, who_has_only_nothing_more_to_say_still_waits);
    tcase_add_test(tests, who_had_nothing_more_to_say_and_goes_waits_no_longer);
    tcase_add_test(tests, many_silent_clients_keep_nobody_out);
    tcase_add_test(tests, when_all_wait_the_next_is_told);
    tcase_add_test(tests, the_file_is_the_owners_alone_and_goes_with_the_service);
    tcase_add_test(tests, a_living_service_is_not_replaced_and_a_dead_ones_file_is);
    tcase_add_test(tests, a_path_that_is_too_long_is_explained);
    tcase_add_test(tests, a_child_lets_go_of_everything);
}

int main(void)
{
    return unit_run("control/control_socket", add);
}
