/* The crash pipe: the text of a crash is there after it, and no process waits for another. */
#include "proc/crash_pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static struct crash_pipe words;
static char text[CRASH_PIPE_MAX];

static void set_up(void)
{
    ck_assert_int_eq(crash_pipe_open(&words), 0);
}

static void tear_down(void)
{
    crash_pipe_close(&words);
}

START_TEST(what_a_process_wrote_outlives_it_and_is_taken_once)
{
    pid_t child = fork();
    if (child == 0)
        _exit(write(words.worker, "one\ntwo\n", 8) == 8 ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    size_t size = crash_pipe_take(&words, text, sizeof(text));
    unit_assert_bytes("all of it", text, size, "one\ntwo\n", (size_t)8);
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), 0);
}
END_TEST

START_TEST(who_writes_too_much_does_not_wait)
{
    static const char block[4096];
    while (write(words.worker, block, sizeof(block)) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), CRASH_PIPE_MAX);
}
END_TEST

/* Once: the master took the size of the pipe for the size of what it had read. */
START_TEST(no_more_is_waiting_than_is_taken_of_a_pipe_that_was_enlarged)
{
    static const char block[4096] = "x";
    ck_assert_int_gt(fcntl(words.worker, F_SETPIPE_SZ, 1 << 20), CRASH_PIPE_MAX);
    while (write(words.worker, block, sizeof(block)) > 0)
        ;
    ck_assert_uint_eq(crash_pipe_waiting(&words), CRASH_PIPE_MAX);
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), CRASH_PIPE_MAX);
    ck_assert_msg(crash_pipe_waiting(&words) == 0, "the rest would be the next worker's");
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), 0);
}
END_TEST

START_TEST(what_another_has_taken_is_not_waiting)
{
    char path[64], byte;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", words.worker);
    ck_assert_int_eq(write(words.worker, "one", 3), 3);
    ck_assert_uint_eq(crash_pipe_waiting(&words), 3);
    int thief = open(path, O_RDONLY);
    while (crash_pipe_waiting(&words) > 0)
        ck_assert_int_eq(read(thief, &byte, 1), 1);
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), 0);
    close(thief);
}
END_TEST

static void write_for_ever(void)
{
    static const char block[4096] = "x";
    fcntl(words.worker, F_SETFL, 0);
    for (;;)
        (void)!write(words.worker, block, sizeof(block));
}

START_TEST(a_writer_that_never_stops_delays_no_process)
{
    pid_t child = fork();
    if (child == 0)
        write_for_ever();
    while (crash_pipe_waiting(&words) < CRASH_PIPE_MAX)
        ;
    ck_assert_uint_eq(crash_pipe_take(&words, text, sizeof(text)), CRASH_PIPE_MAX);
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_a_process_wrote_outlives_it_and_is_taken_once);
    tcase_add_test(tests, who_writes_too_much_does_not_wait);
    tcase_add_test(tests, no_more_is_waiting_than_is_taken_of_a_pipe_that_was_enlarged);
    tcase_add_test(tests, what_another_has_taken_is_not_waiting);
    tcase_add_test(tests, a_writer_that_never_stops_delays_no_process);
}

int main(void)
{
    return unit_run("proc/crash_pipe", add);
}
