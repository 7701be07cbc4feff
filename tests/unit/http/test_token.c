/*
 * The character classes against the RFCs' own words, and the scans built on them.
 */
#include "http/token.h"
#include "unit.h"

#define ALPHA   "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define NUMBERS "0123456789"

static const struct {
    const char *name;
    int class;
    const char *ascii; /* the members below 0x80 */
    bool high;         /* and those from there on */
} classes[] = {
    {"tchar, RFC 9110 5.6.2", CHAR_TOKEN, "!#$%&'*+-.^_`|~" NUMBERS ALPHA, false},
    {"field-content, RFC 9110 5.5", CHAR_VALUE, "\t !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~" NUMBERS ALPHA, true},
    {"the bytes of a target", CHAR_TARGET, "!\"$%&'()*+,-./:;<=>?@[\\]^_`{|}~" NUMBERS ALPHA, false},
    {"the bytes of a reg-name, RFC 3986 3.2.2", CHAR_HOST, "-._~%!$&'()*+,;=" NUMBERS ALPHA, false},
    {"hexadecimal digits", CHAR_HEX, NUMBERS "abcdefABCDEF", false},
    {"digits", CHAR_DIGIT, NUMBERS, false},
};

START_TEST(a_class_has_the_members_that_its_rfc_names)
{
    for (int c = 0; c < 256; c++) {
        bool member = c >= 0x80 ? classes[_i].high : c != 0 && strchr(classes[_i].ascii, c) != NULL;
        ck_assert_msg(char_is((unsigned char)c, classes[_i].class) == member, "%s: 0x%02x", classes[_i].name,
                      c);
    }
}
END_TEST

START_TEST(hexadecimal_digits_have_values)
{
    static const char digits[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    for (int i = 0; i < 16; i++) {
        ck_assert_int_eq(hex_value((unsigned char)digits[i]), i);
        ck_assert_int_eq(hex_value((unsigned char)upper[i]), i);
    }
    ck_assert_int_eq(hex_value('g'), -1);
    ck_assert_int_eq(hex_value('/'), -1);
    ck_assert_int_eq(hex_value('\0'), -1);
    ck_assert_int_eq(hex_value(0xff), -1);
}
END_TEST

START_TEST(a_token_is_not_empty)
{
    ck_assert(slice_is_token(SLICE("x-y")));
    ck_assert(!slice_is_token(SLICE("")));
    ck_assert(!slice_is_token(SLICE("x y")));
    ck_assert(slice_all(SLICE(""), CHAR_TOKEN));
}
END_TEST

/* The scan reads words of eight bytes. Each place within a word, and behind the words, must
 * count. */
START_TEST(a_value_ends_at_its_first_bad_byte_wherever_that_stands)
{
    char text[40];
    for (int c = 0; c < 256; c++) {
        for (size_t place = 0; place < sizeof(text); place++) {
            memset(text, 'a', sizeof(text));
            text[place] = (char)c;
            size_t expected = char_is((unsigned char)c, CHAR_VALUE) ? sizeof(text) : place;
            ck_assert_msg(value_span((struct slice){text, sizeof(text)}) == expected, "0x%02x at %zu", c,
                          place);
        }
    }
}
END_TEST

START_TEST(a_value_of_extreme_bytes_is_plain)
{
    char text[64];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = " ~\x80\xff\x7e\x21\xfe\xa0"[i % 8];
    ck_assert_uint_eq(value_span((struct slice){text, sizeof(text)}), sizeof(text));
    ck_assert_uint_eq(value_span((struct slice){NULL, 0}), 0);
}
END_TEST

static const struct {
    const char *name;
    struct slice text;
    bool whole;
} escapes[] = {
    {"none", SLICE("/abc"), true},           {"one", SLICE("/%41"), true},
    {"two in a row", SLICE("%2f%2F"), true}, {"one digit", SLICE("/%4"), false},
    {"no digit", SLICE("/%"), false},        {"a letter that is none", SLICE("/%4g"), false},
    {"two percents", SLICE("/%%41"), false}, {"an escaped percent", SLICE("/%2541"), true},
};

START_TEST(escapes_have_two_digits)
{
    ck_assert_msg(escapes_are_whole(escapes[_i].text) == escapes[_i].whole, "%s", escapes[_i].name);
}
END_TEST

static const struct {
    struct slice text;
    bool valid;
} hosts[] = {
    {SLICE("a"), true},
    {SLICE("www.example.com"), true},
    {SLICE("a:80"), true},
    {SLICE("a:"), true},
    {SLICE("a:0"), true},
    {SLICE("a:65535"), true},
    {SLICE("a:00080"), true},
    {SLICE("127.0.0.1:1"), true},
    {SLICE("a%20b"), true},
    {SLICE("a_b~c!"), true},
    {SLICE("[::1]"), true},
    {SLICE("[::ffff:1.2.3.4]:80"), true},
    {SLICE("[2001:DB8:0:0:0:0:0:1]:"), true},
    {SLICE(""), false},
    {SLICE(":"), false},
    {SLICE(":80"), false},
    {SLICE("a:65536"), false},
    {SLICE("a:99999999999999999999"), false},
    {SLICE("a:-1"), false},
    {SLICE("a:8 0"), false},
    {SLICE("a:80:80"), false},
    {SLICE("a b"), false},
    {SLICE("a%2"), false},
    {SLICE("a%gg"), false},
    {SLICE("a/b"), false},
    {SLICE("u@a"), false},
    {SLICE("a\0b"), false},
    {SLICE("\xc3\xa9"), false},
    {SLICE("["), false},
    {SLICE("[]"), false},
    {SLICE("[::1"), false},
    {SLICE("::1"), false},
    {SLICE("[::1]]"), false},
    {SLICE("[::1]80"), false},
    {SLICE("[::1%eth0]"), false},
    {SLICE("[::1\0]"), false},
    {SLICE("[127.0.0.1]"), false},
    {SLICE("[v1.a]"), true},
    {SLICE("[VfF.fe80::a+en1]:80"), true},
    {SLICE("[v1.]"), false},
    {SLICE("[v.a]"), false},
    {SLICE("[v1]"), false},
    {SLICE("[vg.a]"), false},
    {SLICE("[v1.a%20]"), false},
    {SLICE("[v1.a/b]"), false},
    {SLICE("v1.a]"), false},
    {SLICE("[0000:0000:0000:0000:0000:0000:0000:0000:0000:0001]"), false},
};

START_TEST(a_host_is_a_name_or_an_address_and_perhaps_a_port)
{
    struct slice text = hosts[_i].text;
    ck_assert_msg(slice_is_host(text) == hosts[_i].valid, "\"%.*s\"", (int)text.size, text.data);
}
END_TEST

static const struct {
    struct slice host, name, port;
} parts[] = {
    {SLICE("a"), SLICE("a"), SLICE("")},
    {SLICE("a.example:80"), SLICE("a.example"), SLICE("80")},
    {SLICE("a:"), SLICE("a"), SLICE("")},
    {SLICE("[::1]"), SLICE("[::1]"), SLICE("")},
    {SLICE("[::1]:8000"), SLICE("[::1]"), SLICE("8000")},
    {SLICE(""), SLICE(""), SLICE("")},
};

START_TEST(a_host_has_two_parts)
{
    struct slice host = parts[_i].host, name = host_name(host), port = host_port(host);
    ck_assert_msg(slice_eq(name, parts[_i].name) && slice_eq(port, parts[_i].port), "\"%s\"", host.data);
}
END_TEST

static const struct {
    struct slice path, decoded;
} paths[] = {
    {SLICE("/"), SLICE("/")},
    {SLICE("/a+b"), SLICE("/a+b")},
    {SLICE("/%41%62c"), SLICE("/Abc")},
    {SLICE("/a%2Fb%2f"), SLICE("/a/b/")},
    {SLICE("/%00%ff%C3"), SLICE("/\0\xff\xc3")},
    {SLICE("/%2541"), SLICE("/%41")},
};

START_TEST(a_path_is_decoded_once)
{
    char out[32];
    size_t size = path_decode(out, paths[_i].path);
    unit_assert_bytes(paths[_i].path.data, out, size, paths[_i].decoded.data, paths[_i].decoded.size);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_path_is_decoded_once, paths);
    unit_add_rows(tests, a_class_has_the_members_that_its_rfc_names, classes);
    tcase_add_test(tests, hexadecimal_digits_have_values);
    tcase_add_test(tests, a_token_is_not_empty);
    tcase_add_test(tests, a_value_ends_at_its_first_bad_byte_wherever_that_stands);
    tcase_add_test(tests, a_value_of_extreme_bytes_is_plain);
    unit_add_rows(tests, escapes_have_two_digits, escapes);
    unit_add_rows(tests, a_host_is_a_name_or_an_address_and_perhaps_a_port, hosts);
    unit_add_rows(tests, a_host_has_two_parts, parts);
}

int main(void)
{
    return unit_run("http/token", add);
}
