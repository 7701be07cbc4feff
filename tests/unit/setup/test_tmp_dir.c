/*
 * --tmp-dir: one that is of no use is told, and tried as the user.
 */
#include "setup/tmp_dir.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proc/privileges.h"

#include "unit.h"

static char directory[] = "/tmp/test_tmp_dir-XXXXXX";
static char message[256];

static void set_up(void)
{
    ck_assert_ptr_nonnull(mkdtemp(directory));
    message[0] = '\0';
}

static void tear_down(void)
{
    ck_assert_msg(rmdir(directory) == 0, "something is left");
}

static int check(const char *path)
{
    char text[128];
    snprintf(text, sizeof(text), "%s", path);
    struct options options = {.tmp_dir = text};
    return tmp_dir_check(&options, message, sizeof(message));
}

START_TEST(one_that_can_be_used_is_good)
{
    ck_assert_msg(check(directory) == 0, "%s", message);
}
END_TEST

static const struct {
    const char *path, *says;
} mistakes[] = {
    {"/nonexistent", "No such file"},
    {"/etc/passwd", "Not a directory"},
    {"/proc", ""},
};

START_TEST(one_that_cannot_is_told)
{
    ck_assert_int_eq(check(mistakes[_i].path), -1);
    ck_assert_ptr_nonnull(strstr(message, "--tmp-dir: no file can be made in "));
    ck_assert_ptr_nonnull(strstr(message, mistakes[_i].path));
    ck_assert_ptr_nonnull(strstr(message, mistakes[_i].says));
}
END_TEST

START_TEST(it_is_the_user_who_has_to_use_it)
{
    char nobody[] = "65534", group[] = "65534";
    struct options options = {.user = nobody, .group = group};
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(privileges_resolve(&options, message, sizeof(message)), 0);
    ck_assert_int_eq(check(directory), -1);
    ck_assert_ptr_nonnull(strstr(message, "Permission denied"));
    ck_assert_int_eq(chmod(directory, 0777), 0);
    ck_assert_int_eq(check(directory), 0);
    ck_assert_uint_eq(geteuid(), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, one_that_can_be_used_is_good);
    unit_add_rows(tests, one_that_cannot_is_told, mistakes);
    tcase_add_test(tests, it_is_the_user_who_has_to_use_it);
}

int main(void)
{
    return unit_run("setup/tmp_dir", add);
}
