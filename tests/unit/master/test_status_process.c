/*
 * The status process as its parent sees it: forked, replaced, ended. No Python: its version is a stand-in, found by the linker before
 * the real one.
 */
#include "master/status_process.h"

#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "py/interp.h"

#include "options/options_line.h"

const char *interp_version(void)
{
    return "3.x";
}

static struct options options;
static struct address address;
static struct service service = {.status = &address};
static struct event_base *base;
static struct status_process *process;
static int let_go_of[2]; /* the child writes its pid */

static void let_go(void *context)
{
    pid_t pid = getpid();
    ck_assert_ptr_eq(context, &service);
    ck_assert_int_eq(write(let_go_of[1], &pid, sizeof(pid)), sizeof(pid));
}

/* Waits for the child that has come. */
static pid_t child_pid(void)
{
    pid_t pid;
    ck_assert_int_eq(read(let_go_of[0], &pid, sizeof(pid)), sizeof(pid));
    return pid;
}

static void set_up(void)
{
    struct log_options log = {.path = "/dev/null", .level = LOG_INFO};
    ck_assert_int_eq(log_open(&log), 0);
    ck_assert_int_eq(parse(&options, "a:b", no_environment), 0);
    ck_assert_int_eq(address_parse(&address, "--status", "127.0.0.1:0", message, sizeof(message)), 0);
    ck_assert_int_eq(address_listen(&address, 1, 10, message, sizeof(message)), 0);
    ck_assert_int_eq(pipe(let_go_of), 0);
    service.board = scoreboard_new(2, 1);
    base = event_base_new();
    process = status_process_start(&options, &service, base, let_go, &service);
}

/* The end of what "GET /ready" is answered with. */
static void assert_ready(const char *end)
{
    static const char request[] = "GET /ready HTTP/1.0\r\n\r\n";
    char answer[512];
    size_t size = 0;
    ssize_t n;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address.socket_address, address.size), 0);
    ck_assert_int_eq(send(fd, request, sizeof(request) - 1, 0), sizeof(request) - 1);
    while ((n = recv(fd, answer + size, sizeof(answer) - 1 - size, 0)) > 0)
        size += (size_t)n;
    answer[size] = '\0';
    close(fd);
    ck_assert_msg(size > strlen(end) && strcmp(answer + size - strlen(end), end) == 0, "%s", answer);
}

static void reap(pid_t pid)
{
    int status;
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(status_process_ended(process, pid, status));
}

START_TEST(it_serves_what_the_scoreboard_says)
{
    assert_ready("\r\n\r\ndown\n");
    scoreboard_set(service.board->rows[1].state, WORKER_READY);
    assert_ready("\r\n\r\nready\n");
    status_process_stop(process);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(one_that_ends_is_replaced_and_others_are_not_its_concern)
{
    pid_t first = child_pid();
    ck_assert(!status_process_ended(process, first + 1, 0));
    reap(first);
    ck_assert(!status_process_ended(process, first, 0));
    event_base_loop(base, EVLOOP_ONCE);
    pid_t second = child_pid();
    ck_assert_int_ne(first, second);
    assert_ready("\r\n\r\ndown\n");
    status_process_stop(process);
}
END_TEST

START_TEST(signals_to_stop_are_not_for_it)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGTTIN, SIGTTOU};
    pid_t pid = child_pid();
    for (size_t i = 0; i < UNIT_ROWS(signals); i++)
        kill(pid, signals[i]);
    assert_ready("\r\n\r\ndown\n");
    status_process_stop(process);
}
END_TEST

START_TEST(while_there_is_none_it_is_stopped_too)
{
    reap(child_pid());
    status_process_stop(process);
    status_process_stop(NULL);
    ck_assert(!status_process_ended(NULL, 1, 0));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, it_serves_what_the_scoreboard_says);
    tcase_add_test(tests, one_that_ends_is_replaced_and_others_are_not_its_concern);
    tcase_add_test(tests, signals_to_stop_are_not_for_it);
    tcase_add_test(tests, while_there_is_none_it_is_stopped_too);
}

int main(void)
{
    return unit_run("master/status_process", add);
}
