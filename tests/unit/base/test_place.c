/*
 * The place that a path of root's leads to: root follows no link that another user could have
 * placed, and opens no file that another user has linked.
 */
#include "base/place.h"

#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { USER = 54321 };

static char directory[] = "/tmp/test_place-XXXXXX";

/* In a directory of root's:
 *
 *     roots/file      users/file      sticky/         open/            users: the user's; sticky: 01777; open: 0777
 *     to_roots -> roots       absolute -> DIRECTORY/roots       chain -> to_roots      loop -> loop      users_link -> roots, the user's
 *     users/to_roots -> ../roots     sticky/to_roots -> ../roots     sticky/users -> ../roots, the user's     open/to_roots
 *     users/inner: root's directory, with a link to_roots -> ../../roots */
static void make_file(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    ck_assert_int_eq(write(fd, name, strlen(name)), (ssize_t)strlen(name));
    close(fd);
}

static void make_link(const char *target, const char *name, uid_t owner)
{
    ck_assert_int_eq(symlink(target, name), 0);
    ck_assert_int_eq(lchown(name, owner, 0), 0);
}

static void set_up(void)
{
    static const char *const directories[] = {"roots", "users", "sticky", "open", "users/inner"};
    char absolute[64];
    if (geteuid() != 0)
        return;
    umask(0);
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
    for (size_t i = 0; i < UNIT_ROWS(directories); i++)
        ck_assert_int_eq(mkdir(directories[i], 0755), 0);
    make_file("roots/file");
    make_file("users/file");
    snprintf(absolute, sizeof(absolute), "%s/roots", directory);
    make_link("roots", "to_roots", 0);
    make_link(absolute, "absolute", 0);
    make_link("to_roots", "chain", 0);
    make_link("loop", "loop", 0);
    make_link("roots", "users_link", USER);
    make_link("roots/file", "to_file", 0);
    make_link("roots/new", "to_nothing", 0);
    make_link("../roots", "users/to_roots", 0);
    make_link("../roots/file", "users/to_file", 0);
    make_link("../roots", "sticky/to_roots", 0);
    make_link("../roots", "sticky/users", USER);
    make_link("../roots", "open/to_roots", 0);
    make_link("../../roots", "users/inner/to_roots", 0);
    ck_assert_int_eq(chown("users", USER, 0), 0);
    ck_assert_int_eq(chmod("sticky", 01777), 0);
    ck_assert_int_eq(chmod("open", 0777), 0);
}

static void tear_down(void)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", directory);
    if (geteuid() == 0)
        ck_assert_int_eq(system(command), 0);
}

static const struct {
    const char *path;
    int error;    /* 0: it is found */
    bool exposed; /* if it is found */
} paths[] = {
    {"roots/file", 0, false},
    {"./roots/../roots//file", 0, false},
    {"to_roots/file", 0, false},
    {"absolute/file", 0, false},
    {"chain/file", 0, false},
    {"to_file", 0, false},
    {"to_nothing", 0, false},
    {"sticky/to_roots/file", 0, false},
    {"users/file", 0, false}, /* other users cannot put another directory there */
    {"users/inner/file", 0, true},
    {"loop/file", ELOOP, false},
    {"loop", ELOOP, false},
    {"users_link/file", ELOOP, false},
    {"users/to_roots/file", ELOOP, false},
    {"users/to_file", ELOOP, false},
    {"users/inner/to_roots/file", ELOOP, false},
    {"sticky/users/file", ELOOP, false},
    {"open/to_roots/file", ELOOP, false},
    {"roots/file/x", ENOTDIR, false},
    {"nosuch/file", ENOENT, false},
};

START_TEST(root_follows_only_links_that_root_has_placed)
{
    char path[128];
    struct place place;
    if (geteuid() != 0)
        return;
    for (int absolute = 0; absolute < 2; absolute++) {
        snprintf(path, sizeof(path), "%s%s%s", absolute ? directory : "", absolute ? "/" : "",
                 paths[_i].path);
        errno = 0;
        int r = place_follow(&place, path);
        ck_assert_msg((r == 0 ? 0 : errno) == paths[_i].error, "%s: %s", path, strerror(errno));
        ck_assert_msg(place.exposed == paths[_i].exposed, "%s: exposed", path);
        place_close(&place);
    }
}
END_TEST

START_TEST(another_user_than_root_follows_what_the_kernel_follows)
{
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(directory, USER, 0), 0);
        ck_assert_int_eq(chmod("roots/file", 0644), 0);
        ck_assert_int_eq(seteuid(USER), 0);
        int fd = place_open_path("users/to_roots/file", O_RDONLY);
        ck_assert_int_ge(fd, 0);
        close(fd);
        ck_assert_int_eq(seteuid(0), 0);
    }
}
END_TEST

START_TEST(the_last_link_is_what_it_is_where_it_is_not_to_be_opened)
{
    struct place place;
    struct stat status;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(place_find(&place, "users_link"), 0);
    ck_assert_int_eq(place_stat(&place, &status), 0);
    ck_assert(S_ISLNK(status.st_mode));
    ck_assert_int_eq(place_unlink(&place), 0);
    ck_assert_int_eq(access("roots/file", F_OK), 0);
    place_close(&place);
}
END_TEST

START_TEST(a_second_name_is_refused_where_others_can_make_one)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(link("roots/file", "users/second"), 0);
    ck_assert_int_eq(place_open_path("users/second", O_WRONLY), -1);
    ck_assert_int_eq(errno, EMLINK);
    int fd = place_open_path("roots/file", O_WRONLY);
    ck_assert_int_ge(fd, 0);
    close(fd);
}
END_TEST

START_TEST(a_fifo_is_not_waited_for)
{
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(mkfifo("users/fifo", 0666), 0);
    ck_assert_int_eq(place_open_path("users/fifo", O_WRONLY), -1);
    ck_assert_int_eq(errno, ENXIO);
}
END_TEST

START_TEST(what_was_made_is_told_from_what_was_there)
{
    struct place place;
    bool made;
    if (geteuid() != 0)
        return;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(place_follow(&place, "to_nothing"), 0);
        int fd = place_open_or_make(&place, O_WRONLY, 0600, &made);
        ck_assert_int_ge(fd, 0);
        ck_assert(made == (i == 0));
        close(fd);
        place_close(&place);
    }
    ck_assert_int_eq(access("roots/new", F_OK), 0);
}
END_TEST

/* The master has a descriptor of the directory, and uses no name that could lead elsewhere. */
START_TEST(a_directory_that_is_swapped_meanwhile_is_not_noticed)
{
    struct place place;
    bool made;
    if (geteuid() != 0)
        return;
    ck_assert_int_eq(place_follow(&place, "users/inner/new"), 0);
    ck_assert_int_eq(rename("users/inner", "users/moved"), 0);
    ck_assert_int_eq(symlink("../roots", "users/inner"), 0);
    int fd = place_open_or_make(&place, O_WRONLY, 0600, &made);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(access("users/moved/new", F_OK), 0);
    ck_assert_int_eq(access("roots/new", F_OK), -1);
    char *path = place_path(&place, "users/inner/new");
    ck_assert_ptr_nonnull(strstr(path, "/proc/self/fd/"));
    ck_assert_int_eq(access(path, F_OK), 0);
    free(path);
    place_close(&place);
}
END_TEST

START_TEST(the_kernels_own_links_are_followed)
{
    int ends[2];
    char path[32];
    ck_assert_int_eq(pipe(ends), 0);
    snprintf(path, sizeof(path), "/dev/fd/%d", ends[1]);
    int fd = place_open_path(path, O_WRONLY);
    ck_assert_msg(fd >= 0, "%s: %s", path, strerror(errno));
    close(fd);
}
END_TEST

static const struct {
    const char *path;
    bool roots;
} owned[] = {
    {"roots/file", true},   {"users/file", false},  {"users/inner/file", false},
    {"sticky/file", false}, {"nosuch/file", false},
};

START_TEST(a_file_is_roots_when_only_root_can_change_or_choose_it)
{
    struct place place;
    if (geteuid() != 0)
        return;
    make_file("users/inner/file");
    make_file("sticky/file");
    bool found = place_follow(&place, owned[_i].path) == 0;
    ck_assert_msg((found && place_is_roots(&place)) == owned[_i].roots, "%s", owned[_i].path);
    place_close(&place);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, root_follows_only_links_that_root_has_placed, paths);
    tcase_add_test(tests, another_user_than_root_follows_what_the_kernel_follows);
    tcase_add_test(tests, the_last_link_is_what_it_is_where_it_is_not_to_be_opened);
    tcase_add_test(tests, a_second_name_is_refused_where_others_can_make_one);
    tcase_add_test(tests, a_fifo_is_not_waited_for);
    tcase_add_test(tests, what_was_made_is_told_from_what_was_there);
    tcase_add_test(tests, a_directory_that_is_swapped_meanwhile_is_not_noticed);
    tcase_add_test(tests, the_kernels_own_links_are_followed);
    unit_add_rows(tests, a_file_is_roots_when_only_root_can_change_or_choose_it, owned);
}

int main(void)
{
    return unit_run("base/place", add);
}
