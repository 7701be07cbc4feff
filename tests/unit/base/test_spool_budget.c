/*
 * The budget of spools: the reservations of several workers, in steps, and their release.
 */
#include "base/spool.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

enum { STEP = 256 * 1024, TOTAL = 10 * STEP };

static struct scoreboard *board;
static struct spool_budget budgets[2];

static void set_up(void)
{
    board = scoreboard_new(2, 1);
    for (int i = 0; i < 2; i++)
        spool_budget_init(&budgets[i], TOTAL, board, &board->rows[i]);
}

static void tear_down(void)
{
    scoreboard_free(board);
}

static const struct {
    const char *name;
    uint64_t before, size, expected;
} growths[] = {
    {"nothing", 0, 0, 0},
    {"a byte", 0, 1, STEP},
    {"what was reserved already", STEP, STEP, STEP},
    {"a byte more", STEP, STEP + 1, 2 * STEP},
    {"all there is", 0, TOTAL, TOTAL},
};

START_TEST(a_reservation_grows_in_steps)
{
    uint64_t reserved = 0;
    ck_assert_int_eq(spool_reserve(&budgets[0], &reserved, growths[_i].before), 0);
    ck_assert_int_eq(spool_reserve(&budgets[0], &reserved, growths[_i].size), 0);
    ck_assert_msg(reserved == growths[_i].expected, "%s", growths[_i].name);
    ck_assert_uint_eq(spool_sum(board), reserved);
    spool_release(&budgets[0], &reserved);
    ck_assert(reserved == 0 && spool_sum(board) == 0);
}
END_TEST

START_TEST(workers_have_one_total)
{
    uint64_t one = 0, other = 0;
    ck_assert_int_eq(spool_reserve(&budgets[0], &one, 6 * STEP), 0);
    ck_assert_int_eq(spool_reserve(&budgets[1], &other, 4 * STEP + 1), -1);
    ck_assert_int_eq(errno, ENOBUFS);
    ck_assert_uint_eq(other, 0);
    ck_assert_int_eq(spool_reserve(&budgets[1], &other, 4 * STEP), 0);
    scoreboard_set(board->rows[0].spooled, 0); /* the other worker has died */
    ck_assert_int_eq(spool_reserve(&budgets[1], &other, TOTAL), 0);
}
END_TEST

START_TEST(what_comes_from_another_worker_is_taken_beyond_the_total)
{
    uint64_t one = 0, moved = 0;
    spool_reserve(&budgets[0], &one, TOTAL);
    spool_take_over(&budgets[1], &moved, 1);
    ck_assert_uint_eq(spool_sum(board), TOTAL + STEP);
    ck_assert_int_eq(spool_reserve(&budgets[1], &moved, STEP + 1), -1);
}
END_TEST

START_TEST(a_child_of_the_application_gives_nothing_back)
{
    uint64_t reserved = 0;
    spool_reserve(&budgets[0], &reserved, 1);
    if (fork() == 0) {
        spool_release(&budgets[0], &reserved);
        _exit(0);
    }
    wait(NULL);
    ck_assert_uint_eq(spool_sum(board), STEP);
}
END_TEST

START_TEST(without_a_budget_there_is_no_limit)
{
    uint64_t reserved = 0;
    ck_assert_int_eq(spool_reserve(NULL, &reserved, TOTAL + 1), 0);
    spool_take_over(NULL, &reserved, 1);
    spool_release(NULL, &reserved);
    ck_assert_uint_eq(reserved, 0);
}
END_TEST

START_TEST(the_reason_is_told)
{
    ck_assert_str_eq(spool_strerror(ENOBUFS), "--spool-total is reached");
    ck_assert_str_eq(spool_strerror(ENOSPC), "No space left on device");
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, a_reservation_grows_in_steps, growths);
    tcase_add_test(tests, workers_have_one_total);
    tcase_add_test(tests, what_comes_from_another_worker_is_taken_beyond_the_total);
    tcase_add_test(tests, a_child_of_the_application_gives_nothing_back);
    tcase_add_test(tests, without_a_budget_there_is_no_limit);
    tcase_add_test(tests, the_reason_is_told);
}

int main(void)
{
    return unit_run("base/spool_budget", add);
}
