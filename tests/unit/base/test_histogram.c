/*
 * Histograms: every duration in its bucket, and figures computed from them.
 */
#include "base/histogram.h"

#include "unit.h"

#define MS UINT64_C(1000000)
#define S  (1000 * MS)

static struct histogram histogram;

static struct histogram_copy copy_of(const struct histogram *from)
{
    struct histogram_copy copy = {.count = 0};
    histogram_read(from, &copy);
    return copy;
}

/* The bucket that counts the value. */
static unsigned bucket_of(uint64_t ns)
{
    struct histogram one = {.sum = 0};
    histogram_add(&one, ns);
    struct histogram_copy copy = copy_of(&one);
    ck_assert_uint_eq(copy.count, 1);
    ck_assert_uint_eq(copy.sum, ns);
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        if (copy.counts[i] == 1)
            return i;
    return HISTOGRAM_BUCKETS;
}

START_TEST(bounds_grow_by_a_quarter_at_most)
{
    for (unsigned i = 1; i < HISTOGRAM_BUCKETS - 1; i++) {
        ck_assert_uint_gt(histogram_bound(i), histogram_bound(i - 1));
        ck_assert_uint_le(4 * histogram_bound(i), 5 * histogram_bound(i - 1));
    }
    ck_assert_uint_eq(histogram_bound(0), 1000);
    ck_assert_uint_eq(histogram_bound(HISTOGRAM_BUCKETS - 2), 100 * S);
    ck_assert_uint_eq(histogram_bound(HISTOGRAM_BUCKETS - 1), UINT64_MAX);
}
END_TEST

START_TEST(a_bound_belongs_to_its_bucket_and_one_more_to_the_next)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS - 1; i++) {
        ck_assert_uint_eq(bucket_of(histogram_bound(i)), i);
        ck_assert_uint_eq(bucket_of(histogram_bound(i) + 1), i + 1);
    }
}
END_TEST

/* The search for the bucket begins there. */
START_TEST(powers_of_two_and_their_neighbours_are_in_their_buckets)
{
    for (unsigned digits = 1; digits < 64; digits++) {
        uint64_t power = UINT64_C(1) << digits;
        for (uint64_t ns = power - 1; ns <= power + 1; ns++) {
            unsigned bucket = bucket_of(ns);
            ck_assert_uint_le(ns, histogram_bound(bucket));
            ck_assert(bucket == 0 || ns > histogram_bound(bucket - 1));
        }
    }
}
END_TEST

START_TEST(no_duration_is_too_short_or_too_long)
{
    ck_assert_uint_eq(bucket_of(0), 0);
    ck_assert_uint_eq(bucket_of(1), 0);
    ck_assert_uint_eq(bucket_of(3600 * S), HISTOGRAM_BUCKETS - 1);
    ck_assert_uint_eq(bucket_of(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

static const struct {
    const char *name;
    uint64_t from, to, step; /* one value each */
    double q;
    uint64_t expected;
    unsigned percent; /* tolerance */
} quantiles[] = {
    {"none", 1, 0, 1, 0.5, 0, 0},
    {"the median of a uniform distribution", MS, 1000 * MS, MS, 0.5, 500 * MS, 2},
    {"its 90th percentile", MS, 1000 * MS, MS, 0.9, 900 * MS, 2},
    {"its 99th percentile", MS, 1000 * MS, MS, 0.99, 990 * MS, 2},
    {"all of it", MS, 1000 * MS, MS, 1, 1000 * MS, 0},
    {"a single value is in its bucket", 7 * MS, 7 * MS, 1, 0.5, 7 * MS, 10},
    {"one below all bounds is not more than a microsecond", 3, 3, 1, 0.99, 990, 1},
    {"one over all bounds counts as the last", 200 * S, 200 * S, 1, 0.5, 100 * S, 0},
};

START_TEST(a_quantile_is_what_the_table_says)
{
    for (uint64_t ns = quantiles[_i].from; ns <= quantiles[_i].to; ns += quantiles[_i].step)
        histogram_add(&histogram, ns);
    struct histogram_copy copy = copy_of(&histogram);
    uint64_t got = histogram_quantile(&copy, quantiles[_i].q), expected = quantiles[_i].expected;
    uint64_t off = got > expected ? got - expected : expected - got;
    ck_assert_msg(off * 100 <= expected * quantiles[_i].percent, "%s: %lu", quantiles[_i].name,
                  (unsigned long)got);
}
END_TEST

START_TEST(copies_add_up_and_what_came_between_is_their_difference)
{
    struct histogram other = {.sum = 0};
    histogram_add(&histogram, 2 * MS);
    histogram_add(&other, 3 * MS);
    struct histogram_copy before = copy_of(&histogram);
    histogram_read(&other, &before);
    ck_assert_uint_eq(before.count, 2);
    ck_assert_uint_eq(before.sum, 5 * MS);
    histogram_add(&other, 40 * MS);
    struct histogram_copy after = copy_of(&histogram);
    histogram_read(&other, &after);
    histogram_subtract(&after, &before);
    ck_assert_uint_eq(after.count, 1);
    ck_assert_uint_eq(after.sum, 40 * MS);
    ck_assert_uint_eq(histogram_up_to(&after, 35 * MS), 0);
    ck_assert_uint_eq(histogram_up_to(&after, 40 * MS), 1);
}
END_TEST

START_TEST(up_to_a_bound_are_all_that_do_not_exceed_it)
{
    for (uint64_t ms = 1; ms <= 1000; ms++)
        histogram_add(&histogram, ms * MS);
    histogram_add(&histogram, 1000 * S);
    struct histogram_copy copy = copy_of(&histogram);
    ck_assert_uint_eq(histogram_up_to(&copy, 1000), 0);
    ck_assert_uint_eq(histogram_up_to(&copy, MS), 1);
    ck_assert_uint_eq(histogram_up_to(&copy, 250 * MS), 250);
    ck_assert_uint_eq(histogram_up_to(&copy, 1 * S), 1000);
    ck_assert_uint_eq(histogram_up_to(&copy, 100 * S), 1000);
    ck_assert_uint_eq(copy.count, 1001);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, bounds_grow_by_a_quarter_at_most);
    tcase_add_test(tests, a_bound_belongs_to_its_bucket_and_one_more_to_the_next);
    tcase_add_test(tests, powers_of_two_and_their_neighbours_are_in_their_buckets);
    tcase_add_test(tests, no_duration_is_too_short_or_too_long);
    unit_add_rows(tests, a_quantile_is_what_the_table_says, quantiles);
    tcase_add_test(tests, copies_add_up_and_what_came_between_is_their_difference);
    tcase_add_test(tests, up_to_a_bound_are_all_that_do_not_exceed_it);
}

int main(void)
{
    return unit_run("base/histogram", add);
}
