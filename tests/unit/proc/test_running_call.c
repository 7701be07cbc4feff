/*
 * What is read of a call on the scoreboard: bounded and escaped, whatever stands there.
 */
#include "proc/running_call.h"

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

static void add(TCase *tests)
{
    tcase_add_test(tests, a_call_has_an_age_and_a_request);
    tcase_add_test(tests, one_that_has_begun_since_is_new);
    tcase_add_test(tests, what_a_terminal_might_obey_is_escaped);
    tcase_add_test(tests, a_text_without_an_end_has_one);
}

int main(void)
{
    return unit_run("proc/running_call", add);
}
