/*
 * The truth about a worker's end.
 */
#include "proc/death.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/scoreboard.h"
#include "unit.h"

enum { NOW = 5, SECOND = 1000000000 };

static const struct scoreboard_call one[] = {
    {.since_ns = NOW * (uint64_t)SECOND - 300000000, .request = "GET /x HTTP/1.1"},
};
static const struct scoreboard_call three[] = {
    {.since_ns = 2 * (uint64_t)SECOND, .request = "GET /long"},
    {.since_ns = 0, .request = "GET /over"},
    {.since_ns = 4 * (uint64_t)SECOND, .request = "GET /short"},
};
static const struct scoreboard_call odd[] = {
    {.since_ns = UINT64_MAX, .request = "GET /\033[2J\n\xff"},
};
static struct scoreboard_call many[20];

#define CALLS(calls, count) calls, count, NOW *(uint64_t)SECOND

static const struct {
    const char *name;
    struct death death;
    const char *text;
} cases[] = {
    {"a signal in a call",
     {SIGSEGV, KILL_NOT, false, 12000, 340, CALLS(one, 1)},
     "was killed by signal 11 (Segmentation fault) after 12.0 s and 340 requests, while it ran \"GET /x "
     "HTTP/1.1\" "
     "(for 0.3 s)"},
    {"a signal between calls",
     {SIGKILL, KILL_NOT, false, 1500, 1, CALLS(NULL, 0)},
     "was killed by signal 9 (Killed) after 1.5 s and 1 request"},
    {"a core",
     {SIGABRT | 0x80, KILL_NOT, false, 0, 0, CALLS(NULL, 0)},
     "was killed by signal 6 (Aborted, core dumped) after 0.0 s and 0 requests"},
    {"an exit",
     {W_EXITCODE(3, 0), KILL_NOT, false, 49, 2, CALLS(NULL, 0)},
     "exited with status 3 after 0.0 s and 2 requests"},
    {"an exit in one of several calls",
     {W_EXITCODE(1, 0), KILL_NOT, false, 61000, 2, CALLS(three, 3)},
     "exited with status 1 after 61.0 s and 2 requests, while it ran \"GET /long\" (for 3.0 s), \"GET "
     "/short\" "
     "(for 1.0 s)"},
    {"by us",
     {SIGKILL, KILL_LATE, false, 5000, 9, CALLS(NULL, 0)},
     "did not leave in time and was killed by the master after 5.0 s and 9 requests"},
    {"by us, while it imports",
     {SIGKILL, KILL_SLOW_BOOT, false, 5000, 0, CALLS(NULL, 0)},
     "did not load the application within --timeout and was killed by the master after 5.0 s and 0 requests"},
    {"by us, at once",
     {SIGKILL, KILL_AT_ONCE, false, 5000, 9, CALLS(NULL, 0)},
     "was killed by the master, told to stop at once, after 5.0 s and 9 requests"},
    {"by the kernel",
     {SIGKILL, KILL_NOT, true, 5000, 9, CALLS(one, 1)},
     "was killed by the kernel for want of memory (signal 9) after 5.0 s and 9 requests, while it ran \"GET "
     "/x "
     "HTTP/1.1\" "
     "(for 0.3 s)"},
    {"by another signal when somebody else had no memory",
     {SIGSEGV, KILL_NOT, true, 5000, 9, CALLS(NULL, 0)},
     "was killed by signal 11 (Segmentation fault) after 5.0 s and 9 requests"},
    {"a call with control characters that begins later than now",
     {SIGSEGV, KILL_NOT, false, 12000, 340, CALLS(odd, 1)},
     "was killed by signal 11 (Segmentation fault) after 12.0 s and 340 requests, while it ran "
     "\"GET /\\x1b[2J\\x0a\\xff\" (for 0.0 s)"},
    {"an exit just before we killed it",
     {0, true, false, 5000, 9, CALLS(NULL, 0)},
     "exited with status 0 after 5.0 s and 9 requests"},
};

START_TEST(the_end_is_described)
{
    char text[256];
    death_describe(&cases[_i].death, text, sizeof(text));
    ck_assert_str_eq(text, cases[_i].text);
}
END_TEST

START_TEST(a_process_without_requests_is_described_without_them)
{
    char text[256];
    death_describe_plain(&cases[1].death, text, sizeof(text));
    ck_assert_str_eq(text, "was killed by signal 9 (Killed) after 1.5 s");
}
END_TEST

START_TEST(a_description_that_does_not_fit_is_cut)
{
    for (size_t size = 1; size < 150; size++) {
        char text[151];
        memset(text, '#', sizeof(text));
        death_describe(&cases[0].death, text, size);
        ck_assert_uint_lt(strnlen(text, sizeof(text)), size);
        ck_assert_int_eq(text[size], '#');
        ck_assert_int_eq(strncmp(text, cases[0].text, strlen(text)), 0);
    }
}
END_TEST

/* A worker that went mad, or was taken over, leaves anything in memory that the master reads. */
START_TEST(a_request_without_its_end_is_cut)
{
    char text[1024];
    struct scoreboard_call mad[2];
    memset(mad, 'x', sizeof(mad));
    struct death death = {.status = SIGSEGV, .calls = mad, .threads = 1};
    death_describe(&death, text, sizeof(text));
    ck_assert_uint_eq(strspn(strchr(text, '"') + 1, "x"), SCOREBOARD_REQUEST_SIZE - 1);
}
END_TEST

START_TEST(not_all_of_many_calls_are_named)
{
    char text[DEATH_MAX];
    for (size_t i = 0; i < UNIT_ROWS(many); i++) {
        many[i].since_ns = SECOND;
        memset(many[i].request, 'y', SCOREBOARD_REQUEST_SIZE - 1);
    }
    struct death death = {.status = SIGSEGV, .calls = many, .threads = UNIT_ROWS(many)};
    death_describe(&death, text, sizeof(text));
    ck_assert_str_eq(text + strlen(text) - strlen(" and 12 more"), " and 12 more");
}
END_TEST

static const struct {
    const char *name;
    int status;
    enum kill_reason killed;
    enum restart_cause cause;
} causes[] = {
    {"it exits", W_EXITCODE(1, 0), KILL_NOT, RESTART_EXITED},
    {"it exits as if it had been asked", 0, KILL_NOT, RESTART_EXITED},
    {"it exits just before we kill it", 0, KILL_LATE, RESTART_EXITED},
    {"it crashes", SIGSEGV, KILL_NOT, RESTART_SIGNAL},
    {"somebody kills it", SIGKILL, KILL_NOT, RESTART_SIGNAL},
    {"we kill it", SIGKILL, KILL_LATE, RESTART_KILLED},
};

START_TEST(the_cause_is_named)
{
    struct death death = {.status = causes[_i].status, .killed = causes[_i].killed};
    ck_assert_msg(death_cause(&death) == causes[_i].cause, "%s", causes[_i].name);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_cause_is_named, causes);
    unit_add_rows(tests, the_end_is_described, cases);
    tcase_add_test(tests, a_process_without_requests_is_described_without_them);
    tcase_add_test(tests, a_description_that_does_not_fit_is_cut);
    tcase_add_test(tests, a_request_without_its_end_is_cut);
    tcase_add_test(tests, not_all_of_many_calls_are_named);
}

int main(void)
{
    return unit_run("proc/death", add);
}
