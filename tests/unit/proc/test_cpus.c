/*
 * How many processors there are to use.
 */
#include "proc/cpus.h"

#include <sched.h>

#include "unit.h"

static const struct {
    const char *text;
    unsigned quota;
} cases[] = {
    {"max 100000\n", 0},
    {"100000 100000\n", 100},
    {"150000 100000\n", 150},
    {"50000 100000", 50},
    {"1000 1000000\n", 1},
    {"400000 100000\n", 400},
    {"", 0},
    {"\n", 0},
    {"100000\n", 0},
    {"0 100000\n", 0},
    {"-1 100000\n", 0},
    {"100000 0\n", 0},
    {"nonsense 5\n", 0},
    {"100 nonsense\n", 0},
};

START_TEST(a_quota_is_read)
{
    ck_assert_msg(cpus_parse_quota(cases[_i].text) == cases[_i].quota, "\"%s\": %u", cases[_i].text,
                  cpus_parse_quota(cases[_i].text));
}
END_TEST

START_TEST(there_is_at_least_one_and_a_reason)
{
    char reason[128];
    unsigned cpus = cpus_usable(reason, sizeof(reason));
    ck_assert_uint_ge(cpus, 1);
    ck_assert_ptr_nonnull(strstr(reason, "by "));
}
END_TEST

START_TEST(affinity_counts)
{
    cpu_set_t all, one;
    char reason[128];
    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(cpus_usable(reason, sizeof(reason)), 1);
    ck_assert_str_eq(reason, "1 CPU by affinity");
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_quota_is_read, cases);
    tcase_add_test(tests, there_is_at_least_one_and_a_reason);
    tcase_add_test(tests, affinity_counts);
}

int main(void)
{
    return unit_run("proc/cpus", add);
}
