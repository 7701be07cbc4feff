/*
 * The title of the process: in place of the arguments and the environment, which remain available.
 */
#include "base/title.h"

#include <unistd.h>

#include "unit.h"

/* The layout of the kernel, with a word in between that was added later. */
static char memory[] = "gateway\0-b\0:1\0A=1\0LONGER=value\0not ours";
static char added[] = "ADDED=1";
static char *arguments[] = {memory, memory + 8, memory + 11, NULL};
static char *variables[] = {memory + 14, memory + 18, added, NULL};
enum { AREA = 31 };

static void init(void)
{
    environ = variables;
    title_init(3, arguments);
}

START_TEST(arguments_and_environment_go_on)
{
    init();
    memset(memory, 'x', AREA);
    ck_assert_str_eq(arguments[0], "gateway");
    ck_assert_str_eq(arguments[1], "-b");
    ck_assert_str_eq(arguments[2], ":1");
    ck_assert_str_eq(getenv("A"), "1");
    ck_assert_str_eq(getenv("LONGER"), "value");
    ck_assert_ptr_eq(variables[2], added);
    ck_assert_int_eq(setenv("A", "2", 1), 0);
    ck_assert_str_eq(getenv("A"), "2");
}
END_TEST

START_TEST(a_title_takes_the_place_and_leaves_nothing_of_it)
{
    init();
    title_set("gateway: %s", "master");
    ck_assert_str_eq(memory, "gateway: master");
    for (size_t i = strlen(memory); i < AREA; i++)
        ck_assert_int_eq(memory[i], '\0');
    title_set("short");
    ck_assert_str_eq(memory, "short");
    for (size_t i = strlen(memory); i < AREA; i++)
        ck_assert_int_eq(memory[i], '\0');
    ck_assert_str_eq(memory + AREA, "not ours");
}
END_TEST

START_TEST(a_title_that_is_too_long_is_cut)
{
    init();
    title_set("%s", "0123456789012345678901234567890123456789");
    ck_assert_str_eq(memory, "012345678901234567890123456789");
    ck_assert_str_eq(memory + AREA, "not ours");
}
END_TEST

START_TEST(without_its_place_there_is_no_title)
{
    char before[sizeof(memory)], *none[] = {NULL};
    memcpy(before, memory, sizeof(memory));
    title_init(0, none);
    title_set("title");
    ck_assert_int_eq(memcmp(before, memory, sizeof(memory)), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, without_its_place_there_is_no_title);
    tcase_add_test(tests, arguments_and_environment_go_on);
    tcase_add_test(tests, a_title_takes_the_place_and_leaves_nothing_of_it);
    tcase_add_test(tests, a_title_that_is_too_long_is_cut);
}

int main(void)
{
    return unit_run("base/title", add);
}
