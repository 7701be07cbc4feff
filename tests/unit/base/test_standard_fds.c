/*
 * Descriptors stay above the standard ones, even if the application has closed some of those.
 */
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "unit.h"

static const struct {
    const char *name;
    bool closed[3];
} cases[] = {
    {"all are open", {false, false, false}},
    {"standard input is closed", {true, false, false}},
    {"standard output is closed", {false, true, false}},
    {"standard error is closed", {false, false, true}},
    {"all are closed", {true, true, true}},
};

static bool is_null(int fd)
{
    struct stat status, null;
    return fstat(fd, &status) == 0 && stat("/dev/null", &null) == 0 && status.st_rdev == null.st_rdev &&
           S_ISCHR(status.st_mode);
}

static void close_some(int row)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        if (cases[row].closed[fd])
            close(fd);
}

START_TEST(each_closed_one_leads_to_null)
{
    close_some(_i);
    int r = standard_fds_fill();
    bool filled = true;
    for (int fd = 0; fd <= STDERR_FILENO; fd++)
        filled = filled && (!cases[_i].closed[fd] || is_null(fd));
    ck_assert(r == 0 && filled);
}
END_TEST

START_TEST(what_is_made_stays_above_them)
{
    char byte = 0;
    int ends[2];
    close_some(_i);
    int fd = fd_above_standard(open("/dev/zero", O_RDONLY | O_CLOEXEC));
    ck_assert(fd > STDERR_FILENO && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    ck_assert(pair_above_standard(pipe(ends), ends) == 0);
    ck_assert(ends[0] > STDERR_FILENO && ends[1] > STDERR_FILENO);
    ck_assert(write(ends[1], "x", 1) == 1 && read(ends[0], &byte, 1) == 1 && byte == 'x');
    for (int at = 0; at <= STDERR_FILENO; at++)
        ck_assert(!cases[_i].closed[at] || fcntl(at, F_GETFD) < 0 || is_null(at));
}
END_TEST

START_TEST(a_failure_stays_one)
{
    errno = EMFILE;
    ck_assert_int_eq(fd_above_standard(-1), -1);
    ck_assert_int_eq(errno, EMFILE);
}
END_TEST

START_TEST(without_another_number_there_is_none)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    close(STDIN_FILENO);
    int fd = open("/dev/zero", O_RDONLY);
    limit.rlim_cur = 3;
    ck_assert(fd == STDIN_FILENO && setrlimit(RLIMIT_NOFILE, &limit) == 0);
    fd = fd_above_standard(fd);
    int error = errno;
    ck_assert(fd == -1 && (error == EMFILE || error == EINVAL));
    ck_assert(fcntl(STDIN_FILENO, F_GETFD) < 0 || is_null(STDIN_FILENO));
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, each_closed_one_leads_to_null, cases);
    unit_add_rows(tests, what_is_made_stays_above_them, cases);
    tcase_add_test(tests, a_failure_stays_one);
    tcase_add_test(tests, without_another_number_there_is_none);
}

int main(void)
{
    return unit_run("base/standard_fds", add);
}
