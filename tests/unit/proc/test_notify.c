/* The text that the service manager receives, to the letter. */
#include "proc/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "manager.h"

static char directory[] = "/tmp/test_notify-XXXXXX";
static char path[64];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/socket", directory);
}

static void tear_down(void)
{
    unlink(path);
    rmdir(directory);
}

static void say_all(void)
{
    notify_ready("%d workers ready", 4);
    notify_stopping("stopping");
    notify_status("all is well");
    notify_alive();
}

static void assert_all_heard(void)
{
    ck_assert_str_eq(manager_heard(), "READY=1\nSTATUS=4 workers ready");
    ck_assert_str_eq(manager_heard(), "STOPPING=1\nSTATUS=stopping");
    ck_assert_str_eq(manager_heard(), "STATUS=all is well");
    ck_assert_str_eq(manager_heard(), "WATCHDOG=1");
    ck_assert_str_eq(manager_heard(), "");
}

START_TEST(a_socket_with_a_path_is_told)
{
    manager_open(path);
    notify_open();
    ck_assert(notify_is_open());
    say_all();
    assert_all_heard();
}
END_TEST

START_TEST(an_abstract_socket_is_told)
{
    char name[64];
    snprintf(name, sizeof(name), "@gateway-test-notify-%d", (int)getpid());
    manager_open(name);
    notify_open();
    say_all();
    assert_all_heard();
}
END_TEST

START_TEST(a_reload_has_its_time)
{
    uint64_t usec;
    struct timespec now;
    manager_open(path);
    notify_open();
    notify_reloading("reloading");
    ck_assert_int_eq(
        sscanf(manager_heard(), "RELOADING=1\nMONOTONIC_USEC=%" SCNu64 "\nSTATUS=reloading", &usec), 1);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ck_assert_uint_le((uint64_t)now.tv_sec - usec / 1000000, 10);
}
END_TEST

START_TEST(a_status_is_one_line_and_not_too_long)
{
    char expected[512] = "STATUS=";
    memset(expected + 7, 'x', 255);
    manager_open(path);
    notify_open();
    notify_status("one\nREADY=1");
    ck_assert_str_eq(manager_heard(), "STATUS=one");
    notify_status("%s%s", strchr(expected, 'x'), strchr(expected, 'x'));
    ck_assert_str_eq(manager_heard(), expected);
}
END_TEST

static const char *const addresses[] = {NULL, "", "relative", "@", "/", "vsock:2:1234"};

/* systemd takes no message that is not UTF-8. */
START_TEST(a_status_has_no_control_characters_and_is_utf8)
{
    manager_open(path);
    notify_open();
    notify_ready("\xc3\xa9 \033[2J\r\xff");
    ck_assert_str_eq(manager_heard(), "READY=1\nSTATUS=\xc3\xa9 \\x1b[2J\\x0d\\xff");
}
END_TEST

START_TEST(without_an_address_nothing_is_said)
{
    if (addresses[_i] != NULL)
        setenv("NOTIFY_SOCKET", addresses[_i], 1);
    setenv("WATCHDOG_USEC", "1000000", 1);
    notify_open();
    ck_assert(!notify_is_open());
    ck_assert_uint_eq(notify_watchdog_ms(), 0);
    say_all();
}
END_TEST

START_TEST(an_address_that_is_too_long_is_none)
{
    char address[200] = "/";
    memset(address + 1, 'x', 150);
    setenv("NOTIFY_SOCKET", address, 1);
    notify_open();
    ck_assert(!notify_is_open());
}
END_TEST

START_TEST(a_manager_that_is_gone_is_told_of_once)
{
    char text[4096];
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    setenv("NOTIFY_SOCKET", path, 1);
    notify_open();
    say_all();
    ssize_t size = read(ends[0], text, sizeof(text) - 1);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    ck_assert_ptr_nonnull(
        strstr(text, "warning: READY=1 cannot be sent to NOTIFY_SOCKET: No such file or directory\n"));
    ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
}
END_TEST

static const struct {
    const char *usec, *pid; /* "own" is this process's */
    uint64_t ms;
} watchdogs[] = {
    {NULL, NULL, 0},      {"30000000", NULL, 30000}, {"30000000", "own", 30000},
    {"30000000", "1", 0}, {"30000000", "", 0},       {"nonsense", "own", 0},
    {"0", "own", 0},      {"1", "own", 1},           {"-1", "own", 0},
};

START_TEST(the_watchdog_waits_for_whom_it_names)
{
    char own[16];
    snprintf(own, sizeof(own), "%d", (int)getpid());
    manager_open(path);
    if (watchdogs[_i].usec != NULL)
        setenv("WATCHDOG_USEC", watchdogs[_i].usec, 1);
    if (watchdogs[_i].pid != NULL)
        setenv("WATCHDOG_PID", strcmp(watchdogs[_i].pid, "own") == 0 ? own : watchdogs[_i].pid, 1);
    notify_open();
    ck_assert_uint_eq(notify_watchdog_ms(), watchdogs[_i].ms);
}
END_TEST

START_TEST(a_worker_cannot_speak_for_the_service)
{
    static const char *const variables[] = {"WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID",
                                            "LISTEN_FDNAMES"};
    manager_open(path);
    for (size_t i = 0; i < UNIT_ROWS(variables); i++)
        setenv(variables[i], "1", 1);
    notify_open();
    notify_forget();
    ck_assert(!notify_is_open());
    say_all();
    ck_assert_str_eq(manager_heard(), "");
    ck_assert_ptr_null(getenv("NOTIFY_SOCKET"));
    for (size_t i = 0; i < UNIT_ROWS(variables); i++)
        ck_assert_ptr_null(getenv(variables[i]));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_socket_with_a_path_is_told);
    tcase_add_test(tests, an_abstract_socket_is_told);
    tcase_add_test(tests, a_reload_has_its_time);
    tcase_add_test(tests, a_status_is_one_line_and_not_too_long);
    tcase_add_test(tests, a_status_has_no_control_characters_and_is_utf8);
    unit_add_rows(tests, without_an_address_nothing_is_said, addresses);
    tcase_add_test(tests, an_address_that_is_too_long_is_none);
    tcase_add_test(tests, a_manager_that_is_gone_is_told_of_once);
    unit_add_rows(tests, the_watchdog_waits_for_whom_it_names, watchdogs);
    tcase_add_test(tests, a_worker_cannot_speak_for_the_service);
}

int main(void)
{
    return unit_run("proc/notify", add);
}
