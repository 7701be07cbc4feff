/*
 * The user of "Authorization: Basic".
 */
#include "http/basic_auth.h"

#include "unit.h"

static const struct {
    const char *name;
    struct slice value, user;
} cases[] = {
    {"RFC 7617's example", SLICE("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="), SLICE("Aladdin")},
    {"its other one, in UTF-8", SLICE("Basic dGVzdDoxMjPCow=="), SLICE("test")},
    {"the scheme in any case", SLICE("bAsIc YTpi"), SLICE("a")},
    {"more than one space", SLICE("Basic   YTpi"), SLICE("a")},
    {"no password", SLICE("Basic YTo="), SLICE("a")},
    {"two pads", SLICE("Basic YWI6Yw=="), SLICE("ab")},
    {"all kinds of characters", SLICE("Basic ++//++//Oj8="), SLICE("\xfb\xef\xff\xfb\xef\xff")},
    {"control characters", SLICE("Basic AQoNfzp4"), SLICE("\x01\n\r\x7f")},
    {"a NUL", SLICE("Basic YQBiOng="), SLICE("a\0b")},
    {"a colon in the password", SLICE("Basic YTpiOmM="), SLICE("a")},
    {"no user", SLICE("Basic OmI="), SLICE("")},
    {"no colon", SLICE("Basic c2VjcmV0"), SLICE("")},
    {"nothing", SLICE(""), SLICE("")},
    {"the scheme alone", SLICE("Basic"), SLICE("")},
    {"the scheme and a space", SLICE("Basic "), SLICE("")},
    {"another scheme", SLICE("Bearer YTpi"), SLICE("")},
    {"a scheme that begins so", SLICE("Basically YTpi"), SLICE("")},
    {"a character that is none", SLICE("Basic YT*i"), SLICE("")},
    {"a space within", SLICE("Basic YTp iYQ="), SLICE("")},
    {"the alphabet for URLs", SLICE("Basic --__Oj8="), SLICE("")},
    {"a pad too few", SLICE("Basic YTo"), SLICE("")},
    {"a pad too many", SLICE("Basic YTpi===="), SLICE("")},
    {"a pad within", SLICE("Basic YT=6"), SLICE("")},
    {"pads alone", SLICE("Basic ===="), SLICE("")},
    {"a byte that is not ASCII", SLICE("Basic YTp\xe9"), SLICE("")},
};

START_TEST(the_user_is_as_the_table_says)
{
    char out[64];
    size_t size = basic_auth_user(cases[_i].value, out);
    unit_assert_bytes(cases[_i].name, out, size, cases[_i].user.data, cases[_i].user.size);
}
END_TEST

START_TEST(it_may_be_done_in_place)
{
    char place[64];
    struct slice value = cases[_i].value;
    memcpy(place, value.data, value.size);
    size_t size = basic_auth_user((struct slice){place, value.size}, place);
    unit_assert_bytes(cases[_i].name, place, size, cases[_i].user.data, cases[_i].user.size);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_user_is_as_the_table_says, cases);
    unit_add_rows(tests, it_may_be_done_in_place, cases);
}

int main(void)
{
    return unit_run("http/basic_auth", add);
}
