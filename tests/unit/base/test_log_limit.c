/*
 * Limited records: a number in an interval from all processes, and then a count of the others.
 */
#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static int out[2];
static char got[65536];

static void set_up(void)
{
    ck_assert_int_eq(pipe2(out, O_NONBLOCK), 0);
    dup2(out[1], STDERR_FILENO);
    const struct log_options options = {.path = "-", .level = LOG_INFO};
    ck_assert_int_eq(log_open(&options), 0);
    log_limit_open();
}

static const char *written(void)
{
    ssize_t size = read(out[0], got, sizeof(got) - 1);
    got[size > 0 ? size : 0] = '\0';
    return got;
}

static int count(const char *text, const char *part)
{
    int found = 0;
    while ((text = strstr(text, part)) != NULL) {
        found++;
        text += strlen(part);
    }
    return found;
}

static void provoke(int times)
{
    for (int i = 0; i < times; i++)
        log_limited(LOG_PARCEL, LOG_ERROR, "number %d is lost", i);
}

/* 227,000 such records were once written in three seconds. */
START_TEST(so_many_are_written_and_the_others_are_counted)
{
    provoke(1000);
    ck_assert_int_eq(count(written(), " is lost\n"), LOG_LIMIT_RECORDS);
    log_limit_tell(false);
    ck_assert_str_eq(written(), "");
    log_limit_tell(true);
    ck_assert_ptr_nonnull(
        strstr(written(),
               "warning: 990 more records are not shown: connections from other workers that are lost\n"));
    log_limit_tell(true);
    ck_assert_str_eq(written(), "");
}
END_TEST

START_TEST(each_subject_has_its_own_limit)
{
    provoke(1000);
    log_limited(LOG_FILE, LOG_ERROR, "another");
    ck_assert_ptr_nonnull(strstr(written(), "another\n"));
}
END_TEST

START_TEST(a_level_that_is_not_logged_counts_nothing)
{
    for (int i = 0; i < 100; i++)
        log_limited(LOG_PARCEL, LOG_DEBUG, "nothing");
    provoke(1);
    log_limit_tell(true);
    ck_assert_int_eq(count(written(), "\n"), 1);
}
END_TEST

START_TEST(a_process_that_is_killed_takes_no_count_along)
{
    pid_t child = fork();
    if (child == 0) {
        provoke(17);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_int_eq(count(written(), " is lost\n"), LOG_LIMIT_RECORDS);
    provoke(1);
    ck_assert_str_eq(written(), "");
    log_limit_tell(true);
    ck_assert_ptr_nonnull(strstr(written(), "8 more records are not shown"));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, NULL);
    tcase_add_test(tests, so_many_are_written_and_the_others_are_counted);
    tcase_add_test(tests, each_subject_has_its_own_limit);
    tcase_add_test(tests, a_level_that_is_not_logged_counts_nothing);
    tcase_add_test(tests, a_process_that_is_killed_takes_no_count_along);
}

int main(void)
{
    return unit_run("base/log_limit", add);
}
