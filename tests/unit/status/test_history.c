/*
 * The history: rates, quantiles of each interval, and the end of old samples.
 */
#include "status/history.h"

#include "unit.h"

#define SECOND UINT64_C(1000000000)
#define MS     UINT64_C(1000000)

static struct history *history;
static struct histogram request;
static struct totals totals;

static void set_up(void)
{
    history = history_new();
    totals.now_ns = 5 * SECOND;
}

static void tear_down(void)
{
    history_free(history);
}

/* Adds requests of so many ns each, a part of them with status 500. */
static void pass(uint64_t ns, uint64_t requests, uint64_t errors, uint64_t ms)
{
    totals.now_ns += ns;
    totals.answers += requests;
    totals.answers_by_code[0] += requests - errors;
    totals.answers_by_code[500 - SCOREBOARD_CODE_MIN] += errors;
    for (uint64_t i = 0; i < requests; i++)
        histogram_add(&request, ms * MS);
    totals.request = (struct histogram_copy){.count = 0};
    histogram_read(&request, &totals.request);
    history_add(history, &totals);
}

START_TEST(it_begins_empty)
{
    struct history_minute minute;
    ck_assert_uint_eq(history_count(history), 0);
    pass(0, 1000, 0, 1);
    ck_assert_uint_eq(history_count(history), 0);
    history_minute(history, &totals, &minute);
    ck_assert_uint_eq(minute.request.count, 0);
}
END_TEST

START_TEST(a_sample_is_what_came_since_the_last)
{
    pass(0, 1000, 1000, 900);
    totals.queued = 3;
    totals.busy = 2;
    totals.connections = 7;
    pass(2 * SECOND, 100, 10, 20);
    const struct history_sample *sample = history_sample(history, 0);
    ck_assert_uint_eq(history_count(history), 1);
    ck_assert_double_eq(sample->requests, 50);
    ck_assert_double_eq(sample->errors, 5);
    ck_assert_uint_le(sample->p50, 20 * MS);
    ck_assert_uint_gt(sample->p50, 17 * MS);
    ck_assert_uint_le(sample->p99, 20 * MS);
    ck_assert_uint_eq(sample->queued, 3);
    ck_assert_uint_eq(sample->busy, 2);
    ck_assert_uint_eq(sample->connections, 7);
    pass(SECOND, 0, 0, 1);
    sample = history_sample(history, 1);
    ck_assert_double_eq(sample->requests, 0);
    ck_assert_uint_eq(sample->p99, 0);
}
END_TEST

START_TEST(the_oldest_samples_are_forgotten)
{
    pass(0, 0, 0, 1);
    for (uint64_t i = 0; i < HISTORY_SAMPLES + 10; i++) {
        pass(SECOND, i, 0, 1);
        ck_assert_uint_eq(history_count(history), i + 1 < HISTORY_SAMPLES ? i + 1 : HISTORY_SAMPLES);
        ck_assert_double_eq(history_sample(history, history_count(history) - 1)->requests, (double)i);
    }
    ck_assert_double_eq(history_sample(history, 0)->requests, 10);
}
END_TEST

START_TEST(the_last_minute_is_that_and_no_more)
{
    struct history_minute minute;
    pass(0, 0, 0, 1);
    for (unsigned i = 1; i < 3 * HISTORY_MINUTE; i++) {
        pass(SECOND, 1, 0, i <= 70 ? 1000 : 10);
        history_minute(history, &totals, &minute);
        ck_assert_uint_eq(minute.request.count, i < HISTORY_MINUTE ? i : HISTORY_MINUTE);
        ck_assert_double_eq(minute.seconds, i < HISTORY_MINUTE ? i : HISTORY_MINUTE);
    }
    ck_assert_uint_le(histogram_quantile(&minute.request, 1), 10 * MS);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_begins_empty);
    tcase_add_test(tests, a_sample_is_what_came_since_the_last);
    tcase_add_test(tests, the_oldest_samples_are_forgotten);
    tcase_add_test(tests, the_last_minute_is_that_and_no_more);
}

int main(void)
{
    return unit_run("status/history", add);
}
