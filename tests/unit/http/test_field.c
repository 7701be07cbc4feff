/*
 * What an application may say in a response field.
 */
#include "http/response.h"
#include "unit.h"

static const struct {
    struct slice name, value;
    bool allowed;
    enum field_kind kind;
    uint64_t length;
} fields[] = {
    {SLICE("X"), SLICE("y"), true, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE(""), true, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("caf\xe9 \"quoted\""), true, FIELD_PLAIN, 0},
    {SLICE("Content-Type"), SLICE("text/plain"), true, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("0"), true, FIELD_CONTENT_LENGTH, 0},
    {SLICE("CONTENT-LENGTH"), SLICE(" 42 "), true, FIELD_CONTENT_LENGTH, 42},
    {SLICE("Date"), SLICE("now"), true, FIELD_DATE, 0},
    {SLICE("server"), SLICE("x"), true, FIELD_SERVER, 0},
    {SLICE("Servers"), SLICE("x"), true, FIELD_PLAIN, 0},
    {SLICE("Connections"), SLICE("x"), true, FIELD_PLAIN, 0},
    {SLICE(""), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X Y"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X:"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X\r\nY"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X\0"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("caf\xe9"), SLICE("y"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\r\nY: b"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\n"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("\ra"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\0"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\tb"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\t"), false, FIELD_PLAIN, 0},
    {SLICE("X"), SLICE("a\x7f"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE(""), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("+5"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("5, 5"), false, FIELD_PLAIN, 0},
    {SLICE("Content-Length"), SLICE("9223372036854775808"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("close"), true, FIELD_CLOSE, 0},
    {SLICE("connection"), SLICE("keep-alive, Close"), true, FIELD_CLOSE, 0},
    {SLICE("Connection"), SLICE("Keep-Alive"), true, FIELD_PERSISTENCE, 0},
    {SLICE("Connection"), SLICE(""), true, FIELD_PERSISTENCE, 0},
    {SLICE("Connection"), SLICE("closed"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("close, upgrade"), false, FIELD_PLAIN, 0},
    {SLICE("Connection"), SLICE("TE"), false, FIELD_PLAIN, 0},
    {SLICE("keep-alive"), SLICE("timeout=5"), true, FIELD_PERSISTENCE, 0},
    {SLICE("Proxy-Authenticate"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Proxy-Authorization"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Proxy-Connection"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("te"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Trailer"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("Trailers"), SLICE("x"), false, FIELD_PLAIN, 0},
    {SLICE("TRANSFER-ENCODING"), SLICE("chunked"), false, FIELD_PLAIN, 0},
    {SLICE("Upgrade"), SLICE("x"), false, FIELD_PLAIN, 0},
};

START_TEST(a_field_is_taken_or_refused_as_the_table_says)
{
    enum field_kind kind = FIELD_PLAIN;
    uint64_t length = 0;
    struct slice name = fields[_i].name, value = fields[_i].value;
    const char *refusal = response_field_check(name, value, &kind, &length);
    ck_assert_msg((refusal == NULL) == fields[_i].allowed, "\"%s: %s\": %s", name.data, value.data, refusal);
    if (fields[_i].allowed) {
        ck_assert_msg(kind == fields[_i].kind, "\"%s\": kind", name.data);
        ck_assert_msg(length == fields[_i].length, "\"%s\": length", name.data);
    }
}
END_TEST

START_TEST(no_control_character_passes)
{
    for (int c = 0; c < 256; c++) {
        char text[] = {'a', 'b', 'c', 'd', 'e', 'f', 'g', (char)c, 'h'};
        bool control = c < 0x20 || c == 0x7f;
        ck_assert_msg(field_text_is_plain((struct slice){text, sizeof(text)}) == !control, "0x%02x", c);
    }
}
END_TEST

START_TEST(a_line_holds_the_trimmed_value)
{
    char out[64];
    size_t size = response_field_format(out, SLICE("X-Y"), SLICE("  a b "));
    unit_assert_bytes("trimmed", out, size, "X-Y: a b\r\n", 10);
    size = response_field_format(out, SLICE("X"), (struct slice){NULL, 0});
    unit_assert_bytes("empty", out, size, "X: \r\n", 5);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_field_is_taken_or_refused_as_the_table_says, fields);
    tcase_add_test(tests, no_control_character_passes);
    tcase_add_test(tests, a_line_holds_the_trimmed_value);
}

int main(void)
{
    return unit_run("http/field", add);
}
