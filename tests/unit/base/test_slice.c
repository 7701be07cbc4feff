/*
 * Slices: comparing, trimming, cutting lists and reading numbers.
 */
#include "base/slice.h"

#include "unit.h"

static const struct {
    const char *name;
    struct slice a, b;
    bool equal, equal_nocase;
} comparisons[] = {
    {"the same bytes are equal", SLICE("Host"), SLICE("Host"), true, true},
    {"letters differ in case only", SLICE("HOST"), SLICE("hoSt"), false, true},
    {"one is the start of the other", SLICE("Host"), SLICE("Hos"), false, false},
    {"an empty one and an absent one are equal", SLICE(""), {NULL, 0}, true, true},
    {"absent ones are equal", {NULL, 0}, {NULL, 0}, true, true},
    {"a NUL is a byte like others", SLICE("a\0b"), SLICE("a\0c"), false, false},
    {"what is next to the letters has no case", SLICE("@[`{"), SLICE("`{@["), false, false},
    {"letters beyond ASCII have no case", SLICE("\xc4"), SLICE("\xe4"), false, false},
};

START_TEST(slices_compare_by_their_bytes)
{
    ck_assert_msg(slice_eq(comparisons[_i].a, comparisons[_i].b) == comparisons[_i].equal, "%s",
                  comparisons[_i].name);
    ck_assert_msg(slice_eq_nocase(comparisons[_i].a, comparisons[_i].b) == comparisons[_i].equal_nocase, "%s",
                  comparisons[_i].name);
}
END_TEST

static const struct {
    const char *name;
    struct slice from, to;
} trims[] = {
    {"blanks at both ends go", SLICE(" \t a b\t "), SLICE("a b")},
    {"nothing but blanks leaves nothing", SLICE(" \t "), SLICE("")},
    {"nothing stays nothing", {NULL, 0}, {NULL, 0}},
    {"CR, LF, VT and NBSP are no blanks", SLICE("\r\n\v\xa0"), SLICE("\r\n\v\xa0")},
};

START_TEST(trimming_takes_off_blanks_only)
{
    struct slice got = slice_trim(trims[_i].from);
    unit_assert_bytes(trims[_i].name, got.data, got.size, trims[_i].to.data, trims[_i].to.size);
}
END_TEST

static const struct {
    const char *name;
    struct slice list;
    const char *items[4];
} lists[] = {
    {"items lose the blanks around them", SLICE("a, b ,\tc"), {"a", "b", "c"}},
    {"one item needs no separator", SLICE("gzip"), {"gzip"}},
    {"empty items are told", SLICE(",a,"), {"", "a", ""}},
    {"an empty list is one empty item", SLICE(""), {""}},
};

START_TEST(a_list_is_cut_at_its_separators)
{
    struct slice list = lists[_i].list;
    size_t count = 0;
    for (; list.data != NULL; count++) {
        struct slice item = slice_next(&list, ',');
        const char *expected = lists[_i].items[count];
        ck_assert_msg(expected != NULL, "%s: too many items", lists[_i].name);
        unit_assert_bytes(lists[_i].name, item.data, item.size, expected, strlen(expected));
    }
    ck_assert_msg(lists[_i].items[count] == NULL, "%s: too few items", lists[_i].name);
}
END_TEST

static const struct {
    const char *name;
    struct slice text;
    int result;
    uint64_t value;
} numbers[] = {
    {"zero is a number", SLICE("0"), 0, 0},
    {"leading zeros change nothing", SLICE("007"), 0, 7},
    {"the largest number fits", SLICE("18446744073709551615"), 0, UINT64_MAX},
    {"one more does not", SLICE("18446744073709551616"), -1, 0},
    {"ten times too many does not", SLICE("184467440737095516150"), -1, 0},
    {"nothing is no number", SLICE(""), -1, 0},
    {"a plus sign is refused", SLICE("+10"), -1, 0},
    {"a minus sign is refused", SLICE("-1"), -1, 0},
    {"a blank in front is refused", SLICE(" 1"), -1, 0},
    {"a blank behind is refused", SLICE("1 "), -1, 0},
    {"an underscore is refused", SLICE("1_0"), -1, 0},
    {"hexadecimal is refused", SLICE("0x1"), -1, 0},
    {"a NUL is refused", SLICE("1\0"), -1, 0},
};

START_TEST(numbers_are_digits_only)
{
    uint64_t value = 4711;
    ck_assert_msg(slice_to_uint64(numbers[_i].text, &value) == numbers[_i].result, "%s", numbers[_i].name);
    uint64_t expected = numbers[_i].result == 0 ? numbers[_i].value : 4711;
    ck_assert_msg(value == expected, "%s: got %llu", numbers[_i].name, (unsigned long long)value);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, slices_compare_by_their_bytes, comparisons);
    unit_add_rows(tests, trimming_takes_off_blanks_only, trims);
    unit_add_rows(tests, a_list_is_cut_at_its_separators, lists);
    unit_add_rows(tests, numbers_are_digits_only, numbers);
}

int main(void)
{
    return unit_run("base/slice", add);
}
