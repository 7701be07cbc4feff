/*
 * Monotonic time, in two resolutions.
 */
#include "base/clock.h"

#include <unistd.h>

#include "unit.h"

enum { TICK_MS = 10 }; /* largest step of the coarse clock */

START_TEST(both_move_with_time)
{
    uint64_t ms = clock_ms(), ns = clock_ns();
    usleep(50 * 1000);
    ck_assert_uint_ge(clock_ns() - ns, 50 * 1000000);
    ck_assert_uint_ge(clock_ms() - ms + TICK_MS, 50);
}
END_TEST

START_TEST(both_have_the_same_beginning)
{
    uint64_t before = clock_ms(), fine = clock_ns() / 1000000, after = clock_ms();
    ck_assert_uint_ge(fine, before);
    ck_assert_uint_le(fine, after + TICK_MS);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, both_move_with_time);
    tcase_add_test(tests, both_have_the_same_beginning);
}

int main(void)
{
    return unit_run("base/clock", add);
}
