/*
 * How a worker ended: the calls that ran, the description, the cause of a restart.
 */
#include "proc/worker_end.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/scoreboard.h"
#include "unit.h"

#define MS UINT64_C(1000000)

static struct scoreboard_call call;
static struct running_call running;

START_TEST(a_call_has_an_age_and_a_request)
{
    strcpy(call.request, "GET /x HTTP/1.1");
    ck_assert(!running_call_read(&call, 1000 * MS, &running));
    scoreboard_set(call.since_ns, 400 * MS);
    ck_assert(running_call_read(&call, 1000 * MS, &running));
    ck_assert_uint_eq(running.age_ms, 600);
    ck_assert_str_eq(running.request, "GET /x HTTP/1.1");
}
END_TEST

START_TEST(one_that_has_begun_since_is_new)
{
    scoreboard_set(call.since_ns, 1001 * MS);
    ck_assert(running_call_read(&call, 1000 * MS, &running));
    ck_assert_uint_eq(running.age_ms, 0);
}
END_TEST

START_TEST(what_a_terminal_might_obey_is_escaped)
{
    scoreboard_set(call.since_ns, 1);
    strcpy(call.request, "GET /\033[2J\n\"\x80 HTTP/1.1");
    ck_assert(running_call_read(&call, 1000 * MS, &running));
    ck_assert_str_eq(running.request, "GET /\\x1b[2J\\x0a\\\"\\x80 HTTP/1.1");
}
END_TEST

START_TEST(a_text_without_an_end_has_one)
{
    scoreboard_set(call.since_ns, 1);
    memset(call.request, '\x01', sizeof(call.request));
    ck_assert(running_call_read(&call, 1000 * MS, &running));
    ck_assert_uint_eq(strlen(running.request), 4 * (SCOREBOARD_REQUEST_SIZE - 1));
}
END_TEST

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
    {"by another signal when another process had no memory",
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

/* A worker that is out of control can leave any bytes in the memory that the master reads. */
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
    {"another process kills it", SIGKILL, KILL_NOT, RESTART_SIGNAL},
    {"we kill it", SIGKILL, KILL_LATE, RESTART_KILLED},
};

START_TEST(the_cause_is_named)
{
    struct death death = {.status = causes[_i].status, .killed = causes[_i].killed};
    ck_assert_msg(death_cause(&death) == causes[_i].cause, "%s", causes[_i].name);
}
END_TEST

static const struct {
    const char *name;
    bool as_asked;
    enum restart_cause alone;
    enum replacement why;
    enum restart_cause cause;
} restarts[] = {
    {"it exits", false, RESTART_EXITED, REPLACE_NOT, RESTART_EXITED},
    {"it exits as if it had been asked", true, RESTART_EXITED, REPLACE_NOT, RESTART_EXITED},
    {"it fails while it leaves", false, RESTART_EXITED, REPLACE_ASKED, RESTART_EXITED},
    {"it leaves as it was asked", true, RESTART_EXITED, REPLACE_ASKED, RESTART_ASKED},
    {"it leaves since it has served long enough", true, RESTART_EXITED, REPLACE_PLANNED, RESTART_RECYCLED},
    {"it leaves since its calls are stuck", true, RESTART_EXITED, REPLACE_STUCK, RESTART_STUCK},
    {"it crashes", false, RESTART_SIGNAL, REPLACE_NOT, RESTART_SIGNAL},
    {"another process kills it", false, RESTART_SIGNAL, REPLACE_STUCK, RESTART_SIGNAL},
    {"we kill it", false, RESTART_KILLED, REPLACE_NOT, RESTART_KILLED},
    {"it was asked, and did not leave", false, RESTART_KILLED, REPLACE_ASKED, RESTART_KILLED},
    {"it is stuck altogether", false, RESTART_KILLED, REPLACE_STUCK, RESTART_STUCK},
    {"it does not move", false, RESTART_KILLED, REPLACE_STALLED, RESTART_STALLED},
    {"it leaves since it has no descriptors", true, RESTART_EXITED, REPLACE_STARVED, RESTART_STALLED},
};

START_TEST(the_cause_of_a_restart_is_named)
{
    const struct worker_end end = {.as_asked = restarts[_i].as_asked, .cause = restarts[_i].alone};
    ck_assert_msg(worker_end_cause(&end, restarts[_i].why) == restarts[_i].cause, "%s", restarts[_i].name);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_call_has_an_age_and_a_request);
    tcase_add_test(tests, one_that_has_begun_since_is_new);
    tcase_add_test(tests, what_a_terminal_might_obey_is_escaped);
    tcase_add_test(tests, a_text_without_an_end_has_one);
    unit_add_rows(tests, the_cause_is_named, causes);
    unit_add_rows(tests, the_end_is_described, cases);
    tcase_add_test(tests, a_process_without_requests_is_described_without_them);
    tcase_add_test(tests, a_description_that_does_not_fit_is_cut);
    tcase_add_test(tests, a_request_without_its_end_is_cut);
    tcase_add_test(tests, not_all_of_many_calls_are_named);
    unit_add_rows(tests, the_cause_of_a_restart_is_named, restarts);
}

int main(void)
{
    return unit_run("proc/worker_end", add);
}
