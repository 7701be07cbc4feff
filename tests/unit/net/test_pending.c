/*
 * Input kept for later is the input that was given, wherever its bytes were before.
 */
#include "net/pending.h"

#include "unit.h"

static struct pending pending;

static void tear_down(void)
{
    pending_free(&pending);
}

static void assert_kept(const char *text)
{
    struct slice kept = pending_slice(&pending);
    ck_assert_uint_eq(kept.size, strlen(text));
    ck_assert_int_eq(memcmp(kept.data, text, kept.size), 0);
}

START_TEST(keeping_copies)
{
    char bytes[] = "GET / HT";
    pending_keep(&pending, slice_of(bytes));
    memset(bytes, 'x', sizeof(bytes));
    assert_kept("GET / HT");
}
END_TEST

START_TEST(appending_gives_the_whole)
{
    pending_keep(&pending, slice_of("GET"));
    for (int i = 0; i < 1000; i++) {
        struct slice all = pending_append(&pending, slice_of(" /"));
        ck_assert_uint_eq(all.size, 3 + 2 * (size_t)(i + 1));
        ck_assert_int_eq(memcmp(all.data, "GET", 3), 0);
        ck_assert_int_eq(memcmp(all.data + all.size - 2, " /", 2), 0);
    }
}
END_TEST

START_TEST(the_end_of_what_is_kept_can_be_kept)
{
    struct slice all;
    pending_keep(&pending, slice_of("first"));
    all = pending_append(&pending, slice_of("second"));
    pending_keep(&pending, (struct slice){all.data + 5, all.size - 5});
    assert_kept("second");
    pending_keep(&pending, pending_slice(&pending));
    assert_kept("second");
}
END_TEST

START_TEST(what_is_kept_is_as_large_as_it_must_be)
{
    struct slice all;
    pending_keep(&pending, slice_of("a"));
    all = pending_append(&pending, slice_of("bcd"));
    pending_keep(&pending, all);
    ck_assert_uint_eq(pending.capacity, 4);
}
END_TEST

START_TEST(keeping_nothing_frees)
{
    pending_keep(&pending, slice_of("first"));
    pending_keep(&pending, (struct slice){pending.data + 5, 0});
    ck_assert_ptr_null(pending.data);
    ck_assert_uint_eq(pending.capacity, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, keeping_copies);
    tcase_add_test(tests, appending_gives_the_whole);
    tcase_add_test(tests, the_end_of_what_is_kept_can_be_kept);
    tcase_add_test(tests, what_is_kept_is_as_large_as_it_must_be);
    tcase_add_test(tests, keeping_nothing_frees);
}

int main(void)
{
    return unit_run("net/pending", add);
}
