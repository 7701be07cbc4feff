/*
 * Last words: what a crash writes is there after it, and nobody waits for anybody.
 */
#include "proc/last_words.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static struct last_words words;
static char text[LAST_WORDS_MAX];

static void set_up(void)
{
    ck_assert_int_eq(last_words_open(&words), 0);
}

static void tear_down(void)
{
    last_words_close(&words);
}

START_TEST(what_a_process_wrote_outlives_it_and_is_taken_once)
{
    pid_t child = fork();
    if (child == 0)
        _exit(write(words.worker, "one\ntwo\n", 8) == 8 ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    size_t size = last_words_take(&words, text, sizeof(text));
    unit_assert_bytes("all of it", text, size, "one\ntwo\n", (size_t)8);
    ck_assert_uint_eq(last_words_take(&words, text, sizeof(text)), 0);
}
END_TEST

START_TEST(who_writes_too_much_does_not_wait)
{
    static const char block[4096];
    while (write(words.worker, block, sizeof(block)) > 0)
        ;
    ck_assert_int_eq(errno, EAGAIN);
    ck_assert_uint_eq(last_words_take(&words, text, sizeof(text)), LAST_WORDS_MAX);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, what_a_process_wrote_outlives_it_and_is_taken_once);
    tcase_add_test(tests, who_writes_too_much_does_not_wait);
}

int main(void)
{
    return unit_run("proc/last_words", add);
}
