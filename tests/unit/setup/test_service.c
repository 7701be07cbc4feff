/*
 * The service before the first fork. The test has no Python: its version is a stand-in, which the
 * linker finds before the real one.
 */
#include "base/exit_status.h"
#include "setup/service.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "options/options_values.h"
#include "py/interp.h"

#include "options/options_line.h"

const char *interp_version(void)
{
    return "3.x";
}

char *interp_venv(const struct options *options)
{
    (void)options;
    return NULL;
}

static char path[] = "/tmp/test_service-XXXXXX";
static struct options options;
static struct service service;
static char text[4096];

static void set_up(void)
{
    close(mkstemp(path));
}

static void tear_down(void)
{
    options_free(&options);
    unlink(path);
}

static int open_with(const char *line)
{
    struct log_options log = {.path = path, .level = LOG_INFO};
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max > 100000) { /* a machine may allow more than can be asked for */
        files.rlim_cur = files.rlim_max = 100000;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    }
    ck_assert_int_eq(log_open(&log), 0);
    ck_assert_msg(parse(&options, line, no_environment) == 0, "%s", message);
    int status = service_open(&service, &options, 2, NULL);
    int fd = open(path, O_RDONLY);
    ssize_t size = read(fd, text, sizeof(text) - 1);
    ck_assert_int_ge(size, 0);
    text[size] = '\0';
    close(fd);
    return status;
}

static const struct {
    const char *name, *line;
    int status;
    const char *says;
} cases[] = {
    {"one address", "-b 127.0.0.1:0 -w 2 a:b", EXIT_STOPPED, "listening on http://127.0.0.1:"},
    {"the application is named", "-b 127.0.0.1:0 -w 2 a:b", EXIT_STOPPED, "Python 3.x, a:b"},
    {"the workers, and why", "-b 127.0.0.1:0 -w 3 a:b", EXIT_STOPPED, "3 workers (as configured)"},
    {"a single worker", "-b 127.0.0.1:0 -w 1 a:b", EXIT_STOPPED, "1 worker (as configured)"},
    {"threads, when there are several", "-b 127.0.0.1:0 -w 2 --threads 4 a:b", EXIT_STOPPED,
     "2 workers (as configured), 4 threads each\n"},
    {"no virtual environment", "-b 127.0.0.1:0 -w 1 --venv /nonexistent/venv a:b", EXIT_STOPPED,
     "Python 3.x, a:b"},
    {"more connections than descriptors", "-b 127.0.0.1:0 -w 1 --worker-connections 1000000 a:b",
     EXIT_STOPPED, "--worker-connections 1000000 is more than the limit of open files allows"},
    {"one where the code changes", "-b 127.0.0.1:0 --reload a:b", EXIT_STOPPED,
     "1 worker (one, for --reload)"},
    {"unless there are to be more", "-b 127.0.0.1:0 --reload -w 2 a:b", EXIT_STOPPED,
     "2 workers (as configured)"},
    {"which is told not to be for production", "-b 127.0.0.1:0 --reload a:b", EXIT_STOPPED,
     "--reload is for development"},
    {"as many as there are", "-b 127.0.0.1:0 a:b", EXIT_STOPPED, " by "},
    {"a backlog that the kernel cuts", "-b 127.0.0.1:0 --backlog 65535 a:b", EXIT_STOPPED, "somaxconn"},
    {"an abstract socket", "-b unix:@gateway-service -b 127.0.0.1:0 a:b", EXIT_STOPPED,
     "listening on unix:@gateway-service"},
    {"where the status is", "-b 127.0.0.1:0 --status 127.0.0.1:0 a:b", EXIT_STOPPED,
     "status on http://127.0.0.1:"},
    {"a status on what is no address", "-b 127.0.0.1:0 --status nonsense a:b", EXIT_USAGE,
     "--status: \"nonsense\" is not an address"},
    {"a status that cannot be bound", "-b 127.0.0.1:0 --status 192.0.2.1:0 a:b", EXIT_ADDRESS,
     "192.0.2.1:0 cannot be bound"},
    {"not an address", "-b nonsense a:b", EXIT_USAGE, "\"nonsense\" is not an address"},
    {"the second is not an address", "-b 127.0.0.1:0 -b nonsense a:b", EXIT_USAGE,
     "\"nonsense\" is not an address"},
    {"not an address of this machine", "-b 192.0.2.1:0 a:b", EXIT_ADDRESS, "192.0.2.1:0 cannot be bound"},
    {"the second cannot be bound", "-b 127.0.0.1:0 -b 192.0.2.1:0 a:b", EXIT_ADDRESS,
     "192.0.2.1:0 cannot be bound"},
    {"a directory that is not there", "-b unix:/nonexistent/x a:b", EXIT_ADDRESS,
     "unix:/nonexistent/x cannot be bound"},
};

START_TEST(the_outcome_is_told)
{
    int status = open_with(cases[_i].line);
    ck_assert_msg(status == cases[_i].status, "%s: %d", cases[_i].name, status);
    if (strcmp(cases[_i].says, "somaxconn") != 0 ||
        strstr(text, "somaxconn") != NULL) /* a machine may allow it */
        ck_assert_msg(strstr(text, cases[_i].says) != NULL, "%s: %s", cases[_i].name, text);
    if (status == EXIT_STOPPED) {
        ck_assert_uint_eq(service.board->count, 2 * service.slots);
        service_close(&service);
    } else {
        ck_assert_ptr_eq(strchr(text, '\n'), strrchr(text, '\n'));
    }
}
END_TEST

START_TEST(connections_come_from_the_descriptor_limit)
{
    struct rlimit limit = {100, 1000};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(open_with("-b 127.0.0.1:0 -w 1 a:b"), EXIT_STOPPED);
    ck_assert_int_eq(options.worker_connections, 738); /* three quarters, without a few of our own */
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(limit.rlim_cur, 1000);
    ck_assert_ptr_nonnull(
        strstr(text, "a worker takes 738 connections at once: the limit of open files is 1000 (ulimit -n)"));
    service_close(&service);
}
END_TEST

START_TEST(connections_that_were_asked_for_stay)
{
    ck_assert_int_eq(open_with("-b 127.0.0.1:0 -w 1 --worker-connections 77 a:b"), EXIT_STOPPED);
    ck_assert_int_eq(options.worker_connections, 77);
    ck_assert_ptr_null(strstr(text, "open files"));
    service_close(&service);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_outcome_is_told, cases);
    tcase_add_test(tests, connections_come_from_the_descriptor_limit);
    tcase_add_test(tests, connections_that_were_asked_for_stay);
}

int main(void)
{
    return unit_run("setup/service", add);
}
