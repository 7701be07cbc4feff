/* The working directory: by its name, wherever that leads, and by the directory that it has led
 * to. */
#include "proc/directory.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/program.h"
#include "unit.h"

static char root[] = "/tmp/test_directory-XXXXXX";
static char program[] = "gateway", *arguments[] = {program, NULL};
static char *real;

static void turn(const char *target)
{
    char link[64];
    snprintf(link, sizeof(link), "%s/current", root);
    unlink(link);
    ck_assert_int_eq(symlink(target, link), 0);
}

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(root));
    ck_assert_int_eq(chdir(root), 0);
    real = getcwd(NULL, 0);
    ck_assert_int_eq(mkdir("one", 0755), 0);
    ck_assert_int_eq(mkdir("two", 0755), 0);
    turn("one");
}

static void tear_down(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", root);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(system(command), 0);
    free(real);
}

static void assert_path(const char *name)
{
    char expected[PATH_MAX], *here = getcwd(NULL, 0);
    snprintf(expected, sizeof(expected), "%s/%s", real, name);
    ck_assert_str_eq(here, expected);
    ck_assert_str_eq(directory_path(), expected);
    free(here);
}

/* Starts the program as a shell in that directory does. */
static void start_in(const char *name, const char *told, const char *chdir_to)
{
    ck_assert_int_eq(chdir(name), 0);
    told != NULL ? setenv("PWD", told, 1) : unsetenv("PWD");
    program_remember(arguments);
    ck_assert_msg(directory_begin(chdir_to) == 0, "%s", strerror(errno));
}

/* The name is below root, as are told and chdir unless they are ".". */
static const struct {
    const char *in, *told, *chdir, *name;
} names[] = {
    {".", NULL, "current", "/current"},
    {"current", "/current", ".", "/current"},
    {"current", NULL, ".", "/one"},
    {"current", "/two", ".", "/one"},
    {"current", "/two/../current", ".", "/one"},
    {"current", "/./current", ".", "/one"},
    {"two", NULL, "/current", "/current"},
    {".", "", "two", "/two"},
};

static const char *below(char *path, const char *name)
{
    snprintf(path, 64, "%s%s", name[0] == '/' ? root : "", name);
    return path;
}

START_TEST(the_name_is_what_was_said)
{
    char told[64], chdir_to[64], expected[64];
    bool silent = names[_i].told == NULL;
    if (!silent)
        snprintf(told, sizeof(told), "%s%s", root, names[_i].told);
    start_in(names[_i].in, silent ? NULL : told, below(chdir_to, names[_i].chdir));
    snprintf(expected, sizeof(expected), "%s%s", root, names[_i].name);
    ck_assert_str_eq(directory_name(), expected);
    ck_assert_str_eq(directory_base(), expected);
}
END_TEST

START_TEST(each_time_it_is_what_the_name_leads_to)
{
    start_in(".", NULL, "current");
    assert_path("one");
    struct directory *one = directory_open();
    turn("two");
    struct directory *two = directory_open();
    ck_assert(!directory_is_same(one, two));
    ck_assert_int_eq(directory_enter(two), 0);
    assert_path("two");
    ck_assert_int_eq(directory_enter(one), 0);
    assert_path("one");
    char *found = directory_find("env"), *absolute = directory_find("/env");
    ck_assert_str_eq(strrchr(found, '/') - 4, "/one/env");
    ck_assert_str_eq(absolute, "/env");
    free(found);
    free(absolute);
    directory_close(one);
    directory_close(two);
    directory_close(NULL);
}
END_TEST

START_TEST(one_that_was_removed_is_left_for_what_the_name_leads_to)
{
    start_in(".", NULL, "current");
    struct directory *one = directory_here();
    turn("two");
    ck_assert_int_eq(directory_enter_living(one), 0);
    assert_path("one");
    ck_assert_int_eq(rmdir("../one"), 0);
    ck_assert_int_eq(directory_enter_living(one), 0);
    assert_path("two");
    turn("nothing");
    ck_assert_ptr_null(directory_open());
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(directory_enter_living(one), 0);
    directory_close(one);
}
END_TEST

START_TEST(a_name_that_leads_nowhere_is_told)
{
    ck_assert_int_eq(directory_begin("/nonexistent"), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_str_eq(directory_base(), "/nonexistent");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_name_is_what_was_said, names);
    tcase_add_test(tests, each_time_it_is_what_the_name_leads_to);
    tcase_add_test(tests, one_that_was_removed_is_left_for_what_the_name_leads_to);
    tcase_add_test(tests, a_name_that_leads_nowhere_is_told);
}

int main(void)
{
    return unit_run("proc/directory", add);
}
