/*
 * A body arrives whole or in pieces, stays in memory or goes to the spool, and ends where its
 * framing says. tests/wire/chunked has more cases that the chunk grammar refuses.
 */
#include <errno.h>
#include <unistd.h>

#include "http/body.h"
#include "unit.h"

static const struct body_limits limits = {
    .size = 40, .memory = 16, .line = 8, .trailer = 24, .tmp_dir = "/tmp"};

static int init(struct body *body, enum framing framing, uint64_t length)
{
    struct header_section section = {.framing = framing, .content_length = length};
    return body_init(body, &section, &limits);
}

/* Feeds `step` bytes at a time; *consumed of them belong to the body. */
static int feed(struct body *body, struct slice input, size_t step, size_t *consumed)
{
    int status = 0;
    *consumed = 0;
    while (status == 0 && !body->complete && *consumed < input.size) {
        size_t left = input.size - *consumed;
        struct slice piece = {input.data + *consumed, step < left ? step : left};
        size_t size = piece.size;
        status = body_feed(body, &piece);
        *consumed += size - piece.size;
    }
    return status;
}

static void check_content(const char *name, struct body *body, struct slice expected)
{
    char bytes[64];
    struct body_content content = body_take(body);
    ck_assert_msg(content.size == expected.size, "%s: %d bytes", name, (int)content.size);
    ck_assert_msg((content.spool >= 0) == (expected.size > limits.memory), "%s: in the wrong place", name);
    if (content.spool >= 0) {
        ck_assert_ptr_null(content.memory);
        ck_assert_int_eq(pread(content.spool, bytes, sizeof(bytes), 0), (ssize_t)expected.size);
        unit_assert_bytes(name, bytes, content.size, expected.data, expected.size);
    } else {
        unit_assert_bytes(name, content.memory, content.size, expected.data, expected.size);
    }
    ck_assert_msg(body->content.size == expected.size && body->content.memory == NULL,
                  "%s: what it tells after that", name);
    body_content_free(&content);
}

static const struct {
    const char *name;
    enum framing framing;
    struct slice input;
    size_t end; /* of the body, in the input */
    struct slice content;
} bodies[] = {
    {"a body of known length", FRAMING_LENGTH, SLICE("helloGET /"), 5, SLICE("hello")},
    {"as much as memory takes", FRAMING_LENGTH, SLICE("0123456789abcdef"), 16, SLICE("0123456789abcdef")},
    {"one byte more", FRAMING_LENGTH, SLICE("0123456789abcdefg"), 17, SLICE("0123456789abcdefg")},
    {"as much as there may be", FRAMING_LENGTH, SLICE("0123456789012345678901234567890123456789"), 40,
     SLICE("0123456789012345678901234567890123456789")},
    {"a chunk", FRAMING_CHUNKED, SLICE("5\r\nhello\r\n0\r\n\r\nGET /"), 15, SLICE("hello")},
    {"no chunk", FRAMING_CHUNKED, SLICE("0\r\n\r\nGET /"), 5, SLICE("")},
    {"many chunks", FRAMING_CHUNKED,
     SLICE("1\r\na\r\n2\r\nbc\r\n0F\r\n0123456789abcde\r\n1\r\n!\r\n0\r\n\r\n"), 45,
     SLICE("abc0123456789abcde!")},
    {"chunks that fill memory", FRAMING_CHUNKED, SLICE("10\r\n0123456789abcdef\r\n0\r\n\r\n"), 27,
     SLICE("0123456789abcdef")},
    {"chunks up to the limit", FRAMING_CHUNKED,
     SLICE("14\r\n01234567890123456789\r\n14\r\n01234567890123456789\r\n0\r\n\r\n"), 57,
     SLICE("0123456789012345678901234567890123456789")},
    {"extensions", FRAMING_CHUNKED, SLICE("1;a\r\nx\r\n1;a=b\r\ny\r\n1;a;b=c\r\nz\r\n0;a=\"\\\"\"\r\n\r\n"),
     42, SLICE("xyz")},
    {"trailers", FRAMING_CHUNKED, SLICE("1\r\na\r\n0\r\nX:\r\nY: b\t\xff\r\n\r\nGET"), 23, SLICE("a")},
    {"CRLF and NUL as data", FRAMING_CHUNKED, SLICE("5\r\n\r\n\0\r\n\r\n0\r\n\r\n"), 15, SLICE("\r\n\0\r\n")},
};

START_TEST(the_body_is_as_the_table_says_whatever_the_pieces)
{
    for (size_t step = 1; step <= bodies[_i].input.size; step++) {
        struct body body;
        size_t consumed;
        ck_assert_int_eq(init(&body, bodies[_i].framing, bodies[_i].content.size), 0);
        int status = feed(&body, bodies[_i].input, step, &consumed);
        ck_assert_msg(status == 0 && body.complete, "%s: %d (by %zu)", bodies[_i].name, status, step);
        ck_assert_msg(consumed == bodies[_i].end, "%s: %zu consumed", bodies[_i].name, consumed);
        check_content(bodies[_i].name, &body, bodies[_i].content);
        body_fini(&body);
    }
}
END_TEST

START_TEST(the_body_is_not_complete_before_its_last_byte)
{
    struct body body;
    size_t consumed;
    init(&body, bodies[_i].framing, bodies[_i].content.size);
    struct slice cut = {bodies[_i].input.data, bodies[_i].end - 1};
    ck_assert_int_eq(feed(&body, cut, 3, &consumed), 0);
    ck_assert_msg(!body.complete, "%s", bodies[_i].name);
    body_fini(&body);
}
END_TEST

static const struct {
    const char *name;
    struct slice input;
    int status;
} refusals[] = {
    {"a size that is none", SLICE("x"), 400},
    {"an empty size", SLICE("\r"), 400},
    {"a sign", SLICE("+"), 400},
    {"a space behind the size", SLICE("5 "), 400},
    {"a bare LF behind the size", SLICE("5\n"), 400},
    {"a CR and another byte behind the size", SLICE("5\rx"), 400},
    {"a size line of the limit", SLICE("00000005\r\n"), 0},
    {"a size line over the limit", SLICE("000000005\r\n"), 400},
    {"a size line that does not end", SLICE("1;abcdefghij"), 400},
    {"a size over the limit", SLICE("29\r\n"), 413},
    {"sizes over the limit together", SLICE("1\r\na\r\n28\r\n"), 413},
    {"no CR behind the data", SLICE("1\r\nab"), 400},
    {"no LF behind the data", SLICE("1\r\na\ra"), 400},
    {"an empty extension", SLICE("1;\r"), 400},
    {"two semicolons", SLICE("1;;"), 400},
    {"an extension without a value", SLICE("1;a=\r"), 400},
    {"a space in an extension", SLICE("1;a b"), 400},
    {"a LF in quotes", SLICE("1;a=\"\n"), 400},
    {"a LF behind a backslash", SLICE("1;a=\"\\\n"), 400},
    {"an open quote", SLICE("1;a=\"b\r"), 400},
    {"something behind a quote", SLICE("1;a=\"\"b"), 400},
    {"a trailer without a name", SLICE("0\r\n:"), 400},
    {"a trailer without a colon", SLICE("0\r\nX\r"), 400},
    {"a space before a trailer's colon", SLICE("0\r\nX :"), 400},
    {"a folded trailer", SLICE("0\r\nX:\r\n "), 400},
    {"a bare LF in a trailer", SLICE("0\r\nX: a\n"), 400},
    {"a bare CR in a trailer", SLICE("0\r\nX: a\rb"), 400},
    {"a trailer line of the limit", SLICE("0\r\nX: 34567\r\n"), 0},
    {"a trailer line over the limit", SLICE("0\r\nX: 345678\r\n"), 431},
    {"trailers over the limit", SLICE("0\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:"), 431},
    {"a bare LF at the end", SLICE("0\r\n\n"), 400},
    {"a CR and another byte at the end", SLICE("0\r\n\rx"), 400},
};

START_TEST(the_chunks_are_refused_with_the_status_of_the_table)
{
    for (size_t step = 1; step <= refusals[_i].input.size; step++) {
        struct body body;
        size_t consumed;
        init(&body, FRAMING_CHUNKED, 0);
        int status = feed(&body, refusals[_i].input, step, &consumed);
        ck_assert_msg(status == refusals[_i].status, "%s: %d (by %zu)", refusals[_i].name, status, step);
        ck_assert(!body.complete);
        body_fini(&body);
    }
}
END_TEST

START_TEST(no_size_overflows)
{
    static const struct body_limits wide = {.size = UINT64_MAX, .memory = 16, .line = 99, .trailer = 9};
    static const struct header_section section = {.framing = FRAMING_CHUNKED};
    struct body body;
    struct slice fits = SLICE("0007fffffffffffffff\r\n"), too_large = SLICE("8000000000000000\r\n"),
                 wraps = SLICE("10000000000000005\r\n");
    ck_assert_int_eq(body_init(&body, &section, &wide), 0);
    ck_assert_int_eq(body_feed(&body, &fits), 0);
    ck_assert_uint_eq(body.remaining, INT64_MAX);
    body_init(&body, &section, &wide);
    ck_assert_int_eq(body_feed(&body, &too_large), 400);
    body_init(&body, &section, &wide);
    ck_assert_int_eq(body_feed(&body, &wraps), 400);
}
END_TEST

START_TEST(a_declared_length_is_judged_at_once)
{
    struct body body;
    ck_assert_int_eq(init(&body, FRAMING_LENGTH, 41), 413);
    ck_assert_int_eq(init(&body, FRAMING_LENGTH, UINT64_MAX), 413);
    ck_assert_int_eq(init(&body, FRAMING_LENGTH, 40), 0);
    ck_assert(!body.complete);
}
END_TEST

START_TEST(a_body_of_no_bytes_is_complete_at_once)
{
    struct body body;
    struct slice next = SLICE("GET /");
    ck_assert_int_eq(init(&body, FRAMING_LENGTH, 0), 0);
    ck_assert(body.complete);
    ck_assert_int_eq(init(&body, FRAMING_NONE, 0), 0);
    ck_assert(body.complete);
    ck_assert_int_eq(body_feed(&body, &next), 0);
    ck_assert_uint_eq(next.size, 5);
    struct body_content content = body_take(&body);
    ck_assert_ptr_null(content.memory);
    ck_assert_int_eq(content.spool, -1);
}
END_TEST

START_TEST(memory_is_not_taken_before_it_is_needed)
{
    static const struct body_limits wide = {.size = 1 << 30, .memory = 1 << 20, .line = 9, .trailer = 9};
    struct header_section section = {.framing = FRAMING_LENGTH, .content_length = 1 << 20};
    struct body body;
    struct slice little = SLICE("x");
    body_init(&body, &section, &wide);
    ck_assert_uint_eq(body.capacity, 0);
    body_feed(&body, &little);
    ck_assert_uint_le(body.capacity, 4096);
    body_fini(&body);
}
END_TEST

START_TEST(a_spool_that_fails_is_503_and_says_why)
{
    static const struct body_limits nowhere = {
        .size = 99, .memory = 4, .line = 9, .tmp_dir = "/nonexistent/dir"};
    struct header_section section = {.framing = FRAMING_LENGTH, .content_length = 10};
    struct body body;
    struct slice input = SLICE("0123456789");
    body_init(&body, &section, &nowhere);
    ck_assert_int_eq(body_feed(&body, &input), 503);
    ck_assert_int_eq(body.error, ENOENT);
    ck_assert(!body.complete);
    body_fini(&body);
}
END_TEST

START_TEST(no_memory_at_all_means_the_spool)
{
    static const struct body_limits none = {
        .size = 99, .memory = 0, .line = 9, .trailer = 9, .tmp_dir = "/tmp"};
    struct header_section section = {.framing = FRAMING_CHUNKED};
    struct body body;
    struct slice input = SLICE("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    char bytes[8];
    body_init(&body, &section, &none);
    ck_assert_int_eq(body_feed(&body, &input), 0);
    ck_assert(body.complete);
    ck_assert_int_eq(pread(body.content.spool, bytes, sizeof(bytes), 0), 5);
    ck_assert_int_eq(memcmp(bytes, "abcde", 5), 0);
    body_fini(&body);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_body_is_as_the_table_says_whatever_the_pieces, bodies);
    unit_add_rows(tests, the_body_is_not_complete_before_its_last_byte, bodies);
    unit_add_rows(tests, the_chunks_are_refused_with_the_status_of_the_table, refusals);
    tcase_add_test(tests, no_size_overflows);
    tcase_add_test(tests, a_declared_length_is_judged_at_once);
    tcase_add_test(tests, a_body_of_no_bytes_is_complete_at_once);
    tcase_add_test(tests, memory_is_not_taken_before_it_is_needed);
    tcase_add_test(tests, a_spool_that_fails_is_503_and_says_why);
    tcase_add_test(tests, no_memory_at_all_means_the_spool);
}

int main(void)
{
    return unit_run("http/body", add);
}
