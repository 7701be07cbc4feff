/*
 * What the master sets up before the first fork. No Python: its version is a stand-in, found by the
 * linker before the real one.
 */
#include "base/exit_status.h"
#include "setup/startup.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "py/interp.h"

#include "base/log.h"
#include "options/options_line.h"
#include "options/options_values.h"

const char *interp_version(void)
{
    return "3.x";
}

char *interp_venv(const struct options *options)
{
    (void)options;
    return NULL;
}

static char path[] = "/tmp/test_startup-XXXXXX";
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
    {"an abstract socket", "-b unix:@gateway-startup -b 127.0.0.1:0 a:b", EXIT_STOPPED,
     "listening on unix:@gateway-startup"},
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

static const struct {
    const char *name;
    rlim_t soft, hard;
    int64_t connections;
    rlim_t limit;
} limits[] = {
    {"as much as is allowed", 1024, 20000, 0, 20000},
    {"but no more than is reasonable", 1024, 1 << 30, 0, 65536},
    {"even if there is no end to it", 1024, RLIM_INFINITY, 0, 65536},
    {"more only where it was inherited", 100000, 1 << 30, 0, 100000},
    {"few connections need no more", 1024, 1 << 30, 500, 1024},
    {"what these need, and a part for the application", 1024, 1 << 30, 3000, 4017},
    {"more than is reasonable, as they were asked for", 1024, 1 << 30, 300000, 400017},
    {"more than is allowed", 1024, 20000, 300000, 20000},
    {"no less than was inherited", 5000, 20000, 3000, 5000},
};

START_TEST(the_descriptor_limit_is_what_is_needed)
{
    const struct rlimit inherited = {limits[_i].soft, limits[_i].hard};
    ck_assert_msg(startup_descriptors(&inherited, limits[_i].connections) == limits[_i].limit, "%s: %llu",
                  limits[_i].name,
                  (unsigned long long)startup_descriptors(&inherited, limits[_i].connections));
}
END_TEST

/* As a reload does. */
START_TEST(the_limit_follows_what_is_asked_for)
{
    static const struct {
        int64_t connections;
        rlim_t limit;
    } steps[] = {{300, 417}, {600, 817}, {60, 200}, {0, 1000}, {300, 417}};
    struct rlimit limit = {200, 1000};
    char reason[128];
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_msg(parse(&options, "-w 1 a:b", no_environment) == 0, "%s", message);
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        options.worker_connections = steps[i].connections;
        startup_resolve(&options, reason, sizeof(reason));
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
        ck_assert_uint_eq(limit.rlim_cur, steps[i].limit);
        ck_assert_uint_eq(limit.rlim_max, 1000);
    }
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
    unit_add_rows(tests, the_descriptor_limit_is_what_is_needed, limits);
    tcase_add_test(tests, the_limit_follows_what_is_asked_for);
    tcase_add_test(tests, connections_that_were_asked_for_stay);
}

int main(void)
{
    return unit_run("setup/startup", add);
}
