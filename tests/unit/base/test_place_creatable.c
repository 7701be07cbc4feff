/*
 * Whether a file could be created, by its directory, and without creating it.
 */
#include "base/place.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit.h"

static char directory[] = "/tmp/test_creatable-XXXXXX";

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static void tear_down(void)
{
    ck_assert_msg(rmdir(directory) == 0, "something is left");
}

static const struct {
    const char *path;
    int error;
} cases[] = {
    {"file", 0},
    {"./file", 0},
    {"/tmp/file", 0},
    {"nosuch/file", ENOENT},
    {"/nonexistent/file", ENOENT},
    {"/etc/passwd/file", ENOTDIR},
};

START_TEST(the_directory_says)
{
    errno = 0;
    ck_assert_int_eq(place_check_creatable(cases[_i].path), cases[_i].error != 0 ? -1 : 0);
    if (cases[_i].error != 0)
        ck_assert_int_eq(errno, cases[_i].error);
}
END_TEST

START_TEST(it_is_asked_for_the_effective_user)
{
    ck_assert_int_eq(chmod(directory, 0500), 0);
    if (geteuid() == 0)
        ck_assert_int_eq(seteuid(65534), 0);
    ck_assert_int_eq(place_check_creatable("file"), -1);
    ck_assert_int_eq(errno, EACCES);
    ck_assert(getuid() != 0 || seteuid(0) == 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_directory_says, cases);
    tcase_add_test(tests, it_is_asked_for_the_effective_user);
}

int main(void)
{
    return unit_run("base/place_creatable", add);
}
