/*
 * Allocation does not fail, or ends the process; and pools.
 */
#include "base/mem.h"

#include "unit.h"

#include <stdint.h>

START_TEST(a_size_of_nothing_is_still_a_block)
{
    void *blocks[] = {xmalloc(0), xcalloc(0, 8), xcalloc(8, 0), xrealloc(NULL, 0)};
    for (size_t i = 0; i < UNIT_ROWS(blocks); i++) {
        ck_assert_ptr_nonnull(blocks[i]);
        free(blocks[i]);
    }
}
END_TEST

START_TEST(xcalloc_zeroes_and_xrealloc_keeps)
{
    char *block = xcalloc(4, 25);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(block[i], 0);
    memset(block, 'x', 100);
    block = xrealloc(block, 100000);
    for (size_t i = 0; i < 100; i++)
        ck_assert_int_eq(block[i], 'x');
    free(block);
}
END_TEST

START_TEST(strings_are_copied_and_formatted)
{
    char *copy = xstrdup("text"), *start = xstrndup("text", 2), *made = xasprintf("%s-%d", "text", 7);
    ck_assert_str_eq(copy, "text");
    ck_assert_str_eq(start, "te");
    ck_assert_str_eq(made, "text-7");
    free(copy);
    free(start);
    free(made);
}
END_TEST

/* Sizes that no machine has; the compiler would refuse SIZE_MAX itself. */
static volatile size_t too_much = SIZE_MAX / 4;

/* AddressSanitizer returns NULL for a block that is too large, too, so that our code ends the
 * process. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void exhaust_malloc(void)
{
    free(xmalloc(too_much));
}

static void exhaust_calloc(void)
{
    free(xcalloc(too_much, 8));
}

static void exhaust_realloc(void)
{
    free(xrealloc(xmalloc(1), too_much));
}

static void (*const exhaustions[])(void) = {exhaust_malloc, exhaust_calloc, exhaust_realloc};

START_TEST(out_of_memory_ends_the_process_with_status_1)
{
    exhaustions[_i]();
}
END_TEST

START_TEST(a_pool_hands_out_last_what_came_back_first)
{
    struct pool pool;
    pool_init(&pool, 64, 8);
    void *first = pool_take(&pool), *second = pool_take(&pool);
    ck_assert_ptr_ne(first, second);
    pool_give(&pool, first);
    pool_give(&pool, second);
    ck_assert_uint_eq(pool.free_count, 2);
    ck_assert_ptr_eq(pool_take(&pool), second);
    ck_assert_ptr_eq(pool_take(&pool), first);
    ck_assert_uint_eq(pool.free_count, 0);
    pool_give(&pool, first);
    pool_give(&pool, second);
    pool_fini(&pool);
    ck_assert_uint_eq(pool.free_count, 0);
    ck_assert_ptr_null(pool.free);
}
END_TEST

START_TEST(a_pool_keeps_no_more_than_it_was_told_to)
{
    struct pool pool;
    void *blocks[5];
    pool_init(&pool, sizeof(void *), 3);
    for (size_t i = 0; i < UNIT_ROWS(blocks); i++)
        blocks[i] = pool_take(&pool);
    for (size_t i = 0; i < UNIT_ROWS(blocks); i++)
        pool_give(&pool, blocks[i]);
    ck_assert_uint_eq(pool.free_count, 3);
    pool_fini(&pool);
}
END_TEST

START_TEST(a_pool_that_keeps_nothing_works)
{
    struct pool pool;
    pool_init(&pool, 128, 0);
    pool_give(&pool, pool_take(&pool));
    ck_assert_uint_eq(pool.free_count, 0);
    pool_fini(&pool);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_size_of_nothing_is_still_a_block);
    tcase_add_test(tests, xcalloc_zeroes_and_xrealloc_keeps);
    tcase_add_test(tests, strings_are_copied_and_formatted);
    tcase_add_loop_exit_test(tests, out_of_memory_ends_the_process_with_status_1, 1, 0,
                             (int)UNIT_ROWS(exhaustions));
    tcase_add_test(tests, a_pool_hands_out_last_what_came_back_first);
    tcase_add_test(tests, a_pool_keeps_no_more_than_it_was_told_to);
    tcase_add_test(tests, a_pool_that_keeps_nothing_works);
}

int main(void)
{
    return unit_run("base/mem", add);
}
