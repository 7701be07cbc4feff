/* A confined process goes on with its work, and can do nothing else. */
#include "proc/confine.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spool.h"
#include "unit.h"

enum { DESCRIPTORS = 64 };

/* 2: filters are on; else the kernel, the architecture or a sanitizer has none. */
static bool is_filtered(void)
{
    return prctl(PR_GET_SECCOMP) == 2;
}

static bool runs_a_program(void)
{
    execl("/bin/true", "true", (char *)NULL);
    return false;
}

static bool forks(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool connects(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool listens(void)
{
    return listen(STDIN_FILENO, 1) == 0 || errno != ENOSYS;
}

static bool kills(void)
{
    return kill(getppid(), 0) == 0;
}

static bool removes_files(void)
{
    return unlink("/nonexistent/file") == 0 || errno != ENOSYS;
}

static const struct {
    const char *name;
    bool (*try)(void);
} deeds[] = {
    {"a program is executed", runs_a_program},
    {"a process is forked", forks},
    {"a socket is made", connects},
    {"a socket listens", listens},
    {"a process is killed", kills},
    {"a file is removed", removes_files},
};

/* Runs in a process of its own, as each test does. 0, or the number of a step that failed. */
START_TEST(what_is_not_needed_fails_and_ends_nothing)
{
    confine_process(DESCRIPTORS);
    if (!is_filtered())
        _exit(0);
    _exit(deeds[_i].try() ? 1 : errno == ENOSYS ? 0 : 2);
}
END_TEST

/* The number of the first step that fails; 0: none. */
static int serve_a_little(const int ends[2])
{
    char text[64];
    if (send(ends[0], "x", 1, MSG_NOSIGNAL) != 1 || read(ends[1], text, sizeof(text)) != 1)
        return 1;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fgets(text, sizeof(text), file) == NULL || fclose(file) != 0)
        return 2;
    int spool = spool_open("/tmp");
    if (spool < 0 || spool_write(spool, 0, "x", 1) < 0 || close(spool) < 0)
        return 3;
    char *memory = malloc(1 << 22);
    if (memory == NULL)
        return 4;
    free(memory);
    log_warning("a record with a time in it");
    return signal(SIGUSR1, SIG_IGN) == SIG_ERR || raise(SIGUSR1) != 0 ? 5 : 0;
}

/* The check library's own calls after a test are not allowed. */
START_TEST(what_serving_needs_goes_on)
{
    int ends[2], status;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        confine_process(DESCRIPTORS);
        _exit(serve_a_little(ends));
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "step %d", WEXITSTATUS(status));
}
END_TEST

static bool has_no_new_rights(void)
{
    char line[128];
    bool found = false;
    FILE *file = fopen("/proc/self/status", "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL)
        found = found || strcmp(line, "NoNewPrivs:\t1\n") == 0;
    return found;
}

START_TEST(it_gets_no_rights_and_few_descriptors)
{
    int opened = 0;
    confine_process(DESCRIPTORS);
    if (!has_no_new_rights())
        _exit(1);
    while (opened <= DESCRIPTORS && dup(STDIN_FILENO) >= 0)
        opened++;
    _exit(opened < DESCRIPTORS ? 0 : 2);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_loop_exit_test(tests, what_is_not_needed_fails_and_ends_nothing, 0, 0, (int)UNIT_ROWS(deeds));
    tcase_add_test(tests, what_serving_needs_goes_on);
    tcase_add_exit_test(tests, it_gets_no_rights_and_few_descriptors, 0);
}

int main(void)
{
    return unit_run("proc/confine", add);
}
