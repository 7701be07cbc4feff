/*
 * A timer on the loop: once, in time, and again when it is set again.
 */
#include "net/timer.h"

#include "net_fixture.h"

static struct fixture fixture;
static int fired;

static void count(void *context)
{
    ck_assert_ptr_eq(context, &fixture);
    fired++;
}

static uint64_t turn_until(int times)
{
    uint64_t begun = clock_ms();
    while (fired < times && clock_ms() - begun < 30000)
        loop_turn(fixture.loop, true);
    return clock_ms() - begun;
}

START_TEST(it_fires_once_for_each_time_it_is_set)
{
    fixture_start(&fixture, "");
    struct timer *timer = timer_new(fixture.loop, count, &fixture);
    for (int i = 1; i <= 3; i++) {
        timer_set(timer, 50);
        uint64_t took = turn_until(i);
        ck_assert_uint_ge(took + 10, 50);
        ck_assert_int_eq(fired, i);
    }
    timer_free(timer);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(one_that_is_set_stays_as_it_is)
{
    fixture_start(&fixture, "");
    struct timer *timer = timer_new(fixture.loop, count, &fixture);
    timer_set(timer, 50);
    timer_set(timer, 60000);
    turn_until(1);
    ck_assert_int_eq(fired, 1);
    timer_free(timer);
    fixture_stop(&fixture);
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    timer_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, it_fires_once_for_each_time_it_is_set);
    tcase_add_test(tests, one_that_is_set_stays_as_it_is);
    tcase_add_test(tests, freeing_none_is_fine);
}

int main(void)
{
    return unit_run("net/timer", add);
}
