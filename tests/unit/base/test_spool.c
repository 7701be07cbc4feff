/*
 * Spools: nameless, private, closed on exec, and with an error for a full disk. Each test runs on
 * the file system of the test directory, and as on one without O_TMPFILE.
 */
#include <errno.h>
#include <fcntl.h>

/* With this value, open fails as on a kernel that does not know O_TMPFILE: EISDIR. */
#undef O_TMPFILE
#define O_TMPFILE         O_DIRECTORY
#define spool_open        spool_open_named
#define spool_write       spool_write_named
#define spool_budget_init spool_budget_init_named
#define spool_strerror    spool_strerror_named
#define spool_sum         spool_sum_named
#define spool_take_over   spool_take_over_named
#define spool_reserve     spool_reserve_named
#define spool_release     spool_release_named
#include "base/spool.c" /* NOLINT(bugprone-suspicious-include) */
#undef spool_open
#undef spool_write
#undef spool_budget_init
#undef spool_strerror
#undef spool_sum
#undef spool_take_over
#undef spool_reserve
#undef spool_release

int spool_open(const char *directory);
int spool_write(int fd, off_t offset, const void *data, size_t size);

#include "unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct {
    const char *name;
    int (*open)(const char *directory);
} ways[] = {
    {"with O_TMPFILE", spool_open},
    {"with a name for an instant", spool_open_named},
};

static void make_directory(char path[64])
{
    strcpy(path, "/tmp/test_spool-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(path));
}

START_TEST(a_spool_leaves_nothing_in_its_directory)
{
    char directory[64];
    make_directory(directory);
    int fd = ways[_i].open(directory);
    ck_assert_msg(fd >= 0, "%s: %s", ways[_i].name, strerror(errno));
    /* rmdir refuses a directory that is not empty. */
    ck_assert_msg(rmdir(directory) == 0, "%s: %s", ways[_i].name, strerror(errno));
    close(fd);
}
END_TEST

START_TEST(a_spool_is_private_and_closed_on_exec)
{
    struct stat status;
    int fd = ways[_i].open("/tmp");
    ck_assert_int_eq(fstat(fd, &status), 0);
    ck_assert_msg((status.st_mode & 07777) == 0600, "%s: mode %o", ways[_i].name, status.st_mode);
    ck_assert_msg(status.st_nlink == 0, "%s: it has a name", ways[_i].name);
    ck_assert_msg(fcntl(fd, F_GETFD) & FD_CLOEXEC, "%s: it survives exec", ways[_i].name);
    close(fd);
}
END_TEST

START_TEST(what_is_written_is_read_back)
{
    char text[8] = "";
    int fd = ways[_i].open("/tmp");
    ck_assert_int_eq(spool_write(fd, 3, "def", 3), 0);
    ck_assert_int_eq(spool_write(fd, 0, "abc", 3), 0);
    ck_assert_int_eq(spool_write(fd, 6, NULL, 0), 0);
    ck_assert_int_eq(pread(fd, text, sizeof(text), 0), 6);
    ck_assert_str_eq(text, "abcdef");
    close(fd);
}
END_TEST

START_TEST(a_directory_that_is_not_there_is_told)
{
    ck_assert_int_eq(ways[_i].open("/nonexistent"), -1);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* A limit on the size of files acts like a full disk: a first part fits, the rest does not. */
START_TEST(a_write_that_does_not_fit_fails)
{
    static char block[8192];
    struct rlimit limit = {4096, 4096};
    int fd = spool_open("/tmp");
    signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(spool_write(fd, 0, block, sizeof(block)), -1);
    ck_assert_int_eq(errno, EFBIG);
    close(fd);
}
END_TEST

START_TEST(a_full_disk_is_enospc)
{
    int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(spool_write(fd, 0, "x", 1), -1);
    ck_assert_int_eq(errno, ENOSPC);
    close(fd);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_spool_leaves_nothing_in_its_directory, ways);
    unit_add_rows(tests, a_spool_is_private_and_closed_on_exec, ways);
    unit_add_rows(tests, what_is_written_is_read_back, ways);
    unit_add_rows(tests, a_directory_that_is_not_there_is_told, ways);
    tcase_add_test(tests, a_write_that_does_not_fit_fails);
    tcase_add_test(tests, a_full_disk_is_enospc);
}

int main(void)
{
    return unit_run("base/spool", add);
}
