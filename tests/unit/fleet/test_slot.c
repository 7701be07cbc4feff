/*
 * The pause before a worker is replaced: none at first, then growing, never in step.
 */
#include "fleet/slot.h"

#include "unit.h"

/* The number that does not shift the pause: 80 % + 20 %. */
enum { MIDDLE = 20 };

static const uint64_t pauses[] = {0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000, 10000};

START_TEST(pauses_grow_to_their_limit)
{
    struct backoff backoff = {0};
    for (size_t i = 0; i < UNIT_ROWS(pauses); i++)
        ck_assert_uint_eq(backoff_next(&backoff, 5, MIDDLE), pauses[i]);
}
END_TEST

START_TEST(a_worker_that_lived_well_begins_anew)
{
    struct backoff backoff = {0};
    for (int i = 0; i < 5; i++)
        backoff_next(&backoff, BACKOFF_HEALTHY_MS - 1, MIDDLE);
    ck_assert_uint_eq(backoff_next(&backoff, BACKOFF_HEALTHY_MS, MIDDLE), 0);
    ck_assert_uint_eq(backoff_next(&backoff, 0, MIDDLE), 100);
}
END_TEST

START_TEST(it_never_overflows)
{
    struct backoff backoff = {.failures = UINT32_MAX - 2};
    ck_assert_uint_eq(backoff_next(&backoff, 0, MIDDLE), BACKOFF_MAX_MS);
    backoff.failures = 64;
    ck_assert_uint_eq(backoff_next(&backoff, 0, MIDDLE), BACKOFF_MAX_MS);
}
END_TEST

static const struct {
    uint32_t random;
    uint64_t pause; /* instead of 1600 */
} shifts[] = {{0, 1280}, {20, 1600}, {40, 1920}, {41, 1280}, {UINT32_MAX, 1280 + 16 * (UINT32_MAX % 41)}};

START_TEST(chance_shifts_by_a_fifth_at_most)
{
    struct backoff backoff = {.failures = 5};
    ck_assert_uint_eq(backoff_next(&backoff, 0, shifts[_i].random), shifts[_i].pause);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, pauses_grow_to_their_limit);
    tcase_add_test(tests, a_worker_that_lived_well_begins_anew);
    tcase_add_test(tests, it_never_overflows);
    unit_add_rows(tests, chance_shifts_by_a_fifth_at_most, shifts);
}

int main(void)
{
    return unit_run("fleet/slot", add);
}
