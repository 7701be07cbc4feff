/* A fork whose child becomes the child of the nearest ancestor that is a subreaper: here the
 * test's, when its child forks. */
#include "preload/reparented_fork.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* The child in the middle sends the pid. The exit status of the new process says what it has
 * seen. */
static int tell[2];

static void set_up(void)
{
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    ck_assert_int_eq(pipe(tell), 0);
}

static pid_t told_pid(void)
{
    pid_t pid = 0;
    ck_assert_int_eq(read(tell[0], &pid, sizeof(pid)), sizeof(pid));
    return pid;
}

/* Runs in the child in the middle; `begins`: with reparented_fork_begin. */
static void fork_in_the_middle(pid_t test, bool begins, bool waits)
{
    int start;
    pid_t pid = reparented_fork(&start);
    if (pid == 0)
        _exit(getppid() == test ? 42 : 1);
    ck_assert_int_eq(write(tell[1], &pid, sizeof(pid)), sizeof(pid));
    if (begins)
        reparented_fork_begin(start);
    if (waits)
        pause();
    _exit(waitpid(-1, NULL, 0) < 0 && errno == ECHILD ? 0 : 1);
}

static pid_t start(bool begins, bool waits)
{
    pid_t test = getpid(), middle = fork();
    if (middle == 0)
        fork_in_the_middle(test, begins, waits);
    return middle;
}

START_TEST(the_new_process_is_ours_from_its_first_step)
{
    int status;
    pid_t middle = start(true, false);
    pid_t forked = told_pid();
    ck_assert_int_gt(forked, 0);
    ck_assert_int_eq(waitpid(forked, &status, 0), forked);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    ck_assert_int_eq(waitpid(middle, &status, 0), middle);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* and has no child */
}
END_TEST

START_TEST(it_does_not_begin_before_it_may_and_ends_when_its_parent_dies)
{
    int status;
    pid_t middle = start(false, true);
    pid_t forked = told_pid();
    usleep(50 * 1000);
    ck_assert_int_eq(waitpid(forked, &status, WNOHANG), 0); /* the process exists, and waits */
    kill(middle, SIGKILL);
    ck_assert_int_eq(waitpid(forked, &status, 0), forked);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_FAILURE);
}
END_TEST

START_TEST(a_fork_that_fails_is_an_error)
{
    const struct rlimit none = {0, 0};
    int start;
    if (getuid() == 0 && setuid(65534) < 0)
        return; /* root has no process limit */
    ck_assert_int_eq(setrlimit(RLIMIT_NPROC, &none), 0);
    ck_assert_int_eq(reparented_fork(&start), -1);
    ck_assert_int_eq(errno, EAGAIN);
}
END_TEST

START_TEST(signals_of_children_may_be_ignored)
{
    int start, status;
    signal(SIGCHLD, SIG_IGN);
    pid_t pid = reparented_fork(&start);
    if (pid == 0)
        _exit(42);
    ck_assert_int_gt(pid, 0);
    signal(SIGCHLD, SIG_DFL);
    reparented_fork_begin(start);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(WEXITSTATUS(status), 42);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, the_new_process_is_ours_from_its_first_step);
    tcase_add_test(tests, it_does_not_begin_before_it_may_and_ends_when_its_parent_dies);
    tcase_add_test(tests, a_fork_that_fails_is_an_error);
    tcase_add_test(tests, signals_of_children_may_be_ignored);
}

int main(void)
{
    return unit_run("preload/reparented_fork", add);
}
