/* What the options of a start leave to the machine: the limit of open files. */
#include "setup/startup.h"

#include <stddef.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "options/options_line.h"
#include "options/options_values.h"

static struct options options;

static void set_up(void)
{
    options = (struct options){.application = NULL};
}

static void tear_down(void)
{
    options_free(&options);
}

static const struct {
    const char *name;
    rlim_t soft, hard;
    int64_t connections;
    rlim_t limit;
} limits[] = {
    {"as much as is allowed", 1024, 20000, 0, 20000},
    {"but no more than is reasonable", 1024, 1 << 30, 0, 65536},
    {"even if there is no end to it", 1024, RLIM_INFINITY, 0, 65536},
    {"more only where it was inherited", 100000, 1 << 30, 0, 100000},
    {"few connections need no more", 1024, 1 << 30, 500, 1024},
    {"what these need, and a part for the application", 1024, 1 << 30, 3000, 4017},
    {"more than is reasonable, as they were asked for", 1024, 1 << 30, 300000, 400017},
    {"more than is allowed", 1024, 20000, 300000, 20000},
    {"no less than was inherited", 5000, 20000, 3000, 5000},
};

START_TEST(the_descriptor_limit_is_what_is_needed)
{
    const struct rlimit inherited = {limits[_i].soft, limits[_i].hard};
    ck_assert_msg(startup_descriptors(&inherited, limits[_i].connections) == limits[_i].limit, "%s: %llu",
                  limits[_i].name,
                  (unsigned long long)startup_descriptors(&inherited, limits[_i].connections));
}
END_TEST

/* A reload resolves the options again. */
START_TEST(the_limit_follows_what_is_asked_for)
{
    static const struct {
        int64_t connections;
        rlim_t limit;
    } steps[] = {{300, 417}, {600, 817}, {60, 200}, {0, 1000}, {300, 417}};
    struct rlimit limit = {200, 1000};
    char reason[128];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(parse(&options, "-w 1 a:b", no_environment) == 0, "%s", message);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        options.worker_connections = steps[i].connections;
        startup_resolve(&options, reason, sizeof(reason));
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_uint_eq(limit.rlim_cur, steps[i].limit);
        ck_assert_uint_eq(limit.rlim_max, 1000);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_descriptor_limit_is_what_is_needed, limits);
    tcase_add_test(tests, the_limit_follows_what_is_asked_for);
}

int main(void)
{
    return unit_run("setup/startup", add);
}
