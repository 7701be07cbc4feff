/*
 * An enumeration that stays short, for any items.
 */
#include "options/listing.h"

#include "unit.h"

static const struct {
    unsigned count;
    const char *text;
} cases[] = {
    {0, ""},
    {1, "\"1\""},
    {2, "\"1\", \"2\""},
    {8, "\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\""},
    {9, "\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\" and 1 more"},
    {1000, "\"1\", \"2\", \"3\", \"4\", \"5\", \"6\", \"7\", \"8\" and 992 more"},
};

START_TEST(a_few_are_shown_and_the_rest_is_counted)
{
    struct listing listing = {0};
    for (unsigned i = 1; i <= cases[_i].count; i++)
        listing_add(&listing, "\"%u\"", i);
    ck_assert_str_eq(listing_end(&listing), cases[_i].text);
    ck_assert_uint_eq(listing.count, cases[_i].count);
}
END_TEST

START_TEST(what_does_not_fit_is_counted)
{
    static char long_one[LISTING_SIZE];
    for (size_t size = 0; size < sizeof(long_one); size++) {
        struct listing listing = {0};
        memset(long_one, 'x', size);
        listing_add(&listing, "a");
        listing_add(&listing, "%s", long_one);
        listing_add(&listing, "b"); /* not shown after a gap */
        const char *text = listing_end(&listing);
        ck_assert_uint_lt(strlen(text), LISTING_SIZE);
        if (strchr(text, 'x') == NULL && size > 0)
            ck_assert_str_eq(text, "a and 2 more");
        else
            ck_assert(strstr(text, ", b") != NULL || strstr(text, "x and 1 more") != NULL);
    }
}
END_TEST

START_TEST(when_nothing_fits_there_is_the_number)
{
    struct listing listing = {0};
    listing_add(&listing, "%*d", LISTING_SIZE, 1);
    ck_assert_str_eq(listing_end(&listing), "1 more");
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_few_are_shown_and_the_rest_is_counted, cases);
    tcase_add_test(tests, what_does_not_fit_is_counted);
    tcase_add_test(tests, when_nothing_fits_there_is_the_number);
}

int main(void)
{
    return unit_run("options/listing", add);
}
