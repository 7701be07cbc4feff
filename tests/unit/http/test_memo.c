/*
 * The memo keeps sections that came twice, and finds only equal ones.
 */
#include <stdio.h>

#include "http/memo.h"
#include "http/parser.h"
#include "unit.h"

static struct memo *memo;

static void setup(void)
{
    memo = memo_new();
}

static void teardown(void)
{
    memo_free(memo);
}

static struct header_section *section_of(struct slice bytes)
{
    static const struct parser_limits limits = {
        .request_line = 99, .fields = 9, .field_size = 9999, .head = 99999};
    struct header_section *section;
    ck_assert_int_eq(header_section_parse(bytes, &limits, &section), 0);
    return section;
}

/* Offers the section twice, and returns its slot. */
static unsigned keep(struct slice bytes)
{
    struct header_section *section = section_of(bytes);
    unsigned slot = 0;
    ck_assert(!memo_offer(memo, section, &slot));
    ck_assert(memo_offer(memo, section, &slot));
    header_section_unref(section);
    return slot;
}

START_TEST(a_section_is_kept_at_its_second_sighting)
{
    unsigned slot, kept;
    ck_assert_ptr_null(memo_find(memo, SLICE("Host: a\r\n\r\n"), &slot));
    kept = keep(SLICE("Host: a\r\n\r\n"));
    struct header_section *found = memo_find(memo, SLICE("Host: a\r\n\r\n"), &slot);
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(slot, kept);
    ck_assert_uint_eq(found->references, 1);
    ck_assert_uint_eq(memo_recent(memo), kept);
}
END_TEST

START_TEST(other_bytes_are_not_found)
{
    unsigned slot;
    keep(SLICE("Host: a\r\n\r\n"));
    ck_assert_ptr_null(memo_find(memo, SLICE("Host: b\r\n\r\n"), &slot));
    ck_assert_ptr_null(memo_find(memo, SLICE("Host: a\r\n"), &slot));
    ck_assert_ptr_null(memo_find(memo, SLICE("Host: a\r\n\r\nx"), &slot));
}
END_TEST

START_TEST(a_guess_needs_the_whole_section_and_no_end)
{
    unsigned slot = keep(SLICE("Host: a\r\n\r\n"));
    ck_assert_ptr_nonnull(memo_guess(memo, slot, SLICE("Host: a\r\n\r\n")));
    ck_assert_ptr_nonnull(memo_guess(memo, slot, SLICE("Host: a\r\n\r\nGET /")));
    ck_assert_ptr_null(memo_guess(memo, slot, SLICE("Host: a\r\n\r")));
    ck_assert_ptr_null(memo_guess(memo, slot, SLICE("Host: a\r\nX: y\r\n\r\n")));
    ck_assert_ptr_null(memo_guess(memo, slot, SLICE("")));
    ck_assert_ptr_null(memo_guess(memo, (slot + 1) % MEMO_SLOTS, SLICE("Host: a\r\n\r\n")));
    ck_assert_ptr_null(memo_guess(memo, MEMO_SLOTS, SLICE("Host: a\r\n\r\n")));
}
END_TEST

START_TEST(a_section_too_large_is_not_kept)
{
    char bytes[MEMO_BYTES + 64];
    for (int over = 0; over < 2; over++) {
        int size = snprintf(bytes, sizeof(bytes), "X: %0*d\r\n\r\n", MEMO_BYTES - 7 + over, 0);
        ck_assert_int_eq(size, MEMO_BYTES + over);
        struct header_section *section = section_of((struct slice){bytes, (size_t)size});
        unsigned slot;
        memo_offer(memo, section, &slot);
        ck_assert(memo_offer(memo, section, &slot) == !over);
        header_section_unref(section);
    }
}
END_TEST

START_TEST(memory_is_bounded_and_the_sections_in_use_survive)
{
    struct header_section *first = section_of(SLICE("Host: a\r\n\r\n"));
    unsigned slot;
    memo_offer(memo, first, &slot);
    memo_offer(memo, first, &slot);
    ck_assert_uint_eq(first->references, 2);
    for (int i = 0; i < 20 * MEMO_SLOTS; i++) {
        char bytes[32];
        int size = snprintf(bytes, sizeof(bytes), "X: %d\r\n\r\n", i);
        keep((struct slice){bytes, (size_t)size});
    }
    ck_assert_uint_eq(first->references, 1);
    ck_assert(slice_eq(first->host, SLICE("a")));
    header_section_unref(first);
}
END_TEST

START_TEST(no_memo_may_be_freed)
{
    memo_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_section_is_kept_at_its_second_sighting);
    tcase_add_test(tests, other_bytes_are_not_found);
    tcase_add_test(tests, a_guess_needs_the_whole_section_and_no_end);
    tcase_add_test(tests, a_section_too_large_is_not_kept);
    tcase_add_test(tests, memory_is_bounded_and_the_sections_in_use_survive);
    tcase_add_test(tests, no_memo_may_be_freed);
}

int main(void)
{
    return unit_run("http/memo", add);
}
