/*
 * The end of a head is found, or refused, at the first byte that decides it. The memo changes no
 * answer, however a head arrives.
 */
#include "http/head.h"

#include "http/parser.h"
#include "unit.h"

static const struct parser_limits limits = {.request_line = 16, .fields = 4, .field_size = 10, .head = 50};

static const struct {
    const char *name;
    struct slice bytes;
    int status;
    size_t head; /* bytes; 0 for one that is not whole */
    size_t when; /* after how many bytes the answer is known */
} cases[] = {
    {"a head without fields", SLICE("GET / HTTP/1.1\r\n\r\n"), 0, 18, 18},
    {"what follows is left", SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET "), 0, 27, 27},
    {"a head that goes on", SLICE("GET / HTTP/1.1\r\nHost: a\r\n"), 0, 0, 25},
    {"nothing", SLICE(""), 0, 0, 0},
    {"half an empty line", SLICE("\r"), 0, 0, 1},
    {"a CR and another byte", SLICE("\rG"), 400, 0, 2},
    {"a bare LF first", SLICE("\nG"), 400, 0, 1},
    {"a bare LF ends the request line", SLICE("GET /\nHost"), 400, 0, 6},
    {"a bare LF ends a field line", SLICE("GET /\r\nA: b\nC"), 400, 0, 12},
    {"a bare LF in the place of the empty line", SLICE("GET /\r\nA: b\r\n\nx"), 400, 0, 14},
    {"a space before the first field", SLICE("GET /\r\n A: b"), 400, 0, 8},
    {"a folded line", SLICE("GET /\r\nA: b\r\n\tc"), 400, 0, 14},
    {"a request line of the limit", SLICE("0123456789abcdef\r\n\r\n"), 0, 20, 20},
    {"a request line over the limit", SLICE("0123456789abcdefg\r\n\r\n"), 414, 0, 17},
    {"a CR within does not count as the end", SLICE("0123456789abcde\r\rx"), 414, 0, 18},
    {"a field line of the limit", SLICE("GET /\r\nA: 3456789\r\n\r\n"), 0, 21, 21},
    {"a field line over the limit", SLICE("GET /\r\nA: 3456789ab\r\n\r\n"), 431, 0, 18},
    {"a head of the limit", SLICE("GET /ab\r\nA: 345678\r\nA: 345678\r\nA: 345678\r\nA: b\r\n\r\n"), 0, 50,
     50},
    {"a head over the limit", SLICE("GET /\r\nA: 345678\r\nA: 345678\r\nA: 345678\r\nA: 345678\r\n\r\n"), 431,
     0, 51},
};

START_TEST(the_answer_is_as_the_table_says)
{
    struct head_finder finder = {0};
    size_t head;
    int status = head_find_end(&finder, cases[_i].bytes, &limits, &head);
    ck_assert_msg(status == cases[_i].status, "%s: %d", cases[_i].name, status);
    ck_assert_msg(head == cases[_i].head, "%s: %zu bytes", cases[_i].name, head);
}
END_TEST

START_TEST(the_answer_comes_with_the_byte_that_decides)
{
    struct head_finder finder = {0};
    size_t head, fed = 0;
    int status = 0;
    do {
        struct slice arrived = {cases[_i].bytes.data, fed};
        status = head_find_end(&finder, arrived, &limits, &head);
    } while (status == 0 && head == 0 && fed++ < cases[_i].bytes.size);
    if (fed > cases[_i].bytes.size)
        fed--;
    ck_assert_msg(status == cases[_i].status, "%s: %d", cases[_i].name, status);
    ck_assert_msg(head == cases[_i].head, "%s: %zu bytes", cases[_i].name, head);
    ck_assert_msg(fed == cases[_i].when, "%s: after %zu bytes", cases[_i].name, fed);
}
END_TEST

START_TEST(the_request_line_is_measured)
{
    struct head_finder finder = {0};
    size_t head;
    head_find_end(&finder, SLICE("GET / HTTP/1.1\r"), &limits, &head);
    ck_assert_uint_eq(finder.line_size, 0);
    head_find_end(&finder, SLICE("GET / HTTP/1.1\r\nHo"), &limits, &head);
    ck_assert_uint_eq(finder.line_size, 14);
}
END_TEST

START_TEST(empty_lines_are_skipped_in_whole_pairs)
{
    static const struct {
        struct slice bytes;
        size_t skipped;
    } rows[] = {
        {SLICE(""), 0},     {SLICE("GET"), 0},         {SLICE("\r"), 0},
        {SLICE("\n\n"), 0}, {SLICE("\r\n\r\n\rG"), 4}, {SLICE("\r\nGET"), 2},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct slice rest = rows[i].bytes;
        unsigned count = 0;
        ck_assert_int_eq(head_skip_empty_lines(&rest, &count), 0);
        ck_assert_uint_eq(rows[i].bytes.size - rest.size, rows[i].skipped);
        ck_assert_uint_eq(count, rows[i].skipped / 2);
    }
}
END_TEST

START_TEST(empty_lines_have_an_end_however_they_arrive)
{
    unsigned count = 0;
    for (int i = 1; i <= EMPTY_LINES_MAX; i++) {
        struct slice line = SLICE("\r\n");
        ck_assert_int_eq(head_skip_empty_lines(&line, &count), 0);
    }
    struct slice line = SLICE("\r\nGET");
    ck_assert_int_eq(head_skip_empty_lines(&line, &count), 400);
}
END_TEST

static const struct {
    struct slice bytes;
    int status;
} lines[] = {
    {SLICE("GET / HTTP/1.1\r\nHo"), 0},
    {SLICE("GET / HTTP/1.1\r"), 0},
    {SLICE("garbage\r\n"), 400},
    {SLICE("GET /\r\n"), 400},
    {SLICE("garbage\r"), 0},
    {SLICE("GET / HTTP %\r\n"), 400},
    {SLICE("GET / HTTP/2.0\r\n"), 505},
    {SLICE("CONNECT a:1 HTTP/1.1\r\n"), 501},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nX:\r\nFoo"), 0},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nFoo : bar\r"), 0},
    {SLICE("GET / HTTP/1.1\r\nFoo : bar\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nFoo : bar\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nFoo\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\n: bar\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nFoo: b\x01r\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nFoo: b\rr\r\n"), 400},
    {SLICE("GET / HTTP/1.1\r\nHost: a\r\nF\0o: bar\r\n"), 400},
};

START_TEST(a_line_is_looked_at_when_it_is_whole)
{
    static const struct parser_limits wide = {.request_line = 99, .fields = 4, .field_size = 99, .head = 99};
    struct head_finder finder = {0};
    size_t head;
    for (size_t size = 1; size < lines[_i].bytes.size; size++) {
        struct slice arrived = {lines[_i].bytes.data, size};
        ck_assert_int_eq(head_find_end(&finder, arrived, &wide, &head), 0);
        ck_assert_int_eq(head_check_lines(&finder, arrived), 0);
    }
    ck_assert_int_eq(head_find_end(&finder, lines[_i].bytes, &wide, &head), 0);
    ck_assert_msg(head_check_lines(&finder, lines[_i].bytes) == lines[_i].status, "%s", lines[_i].bytes.data);
}
END_TEST

START_TEST(lines_that_arrive_together_are_all_looked_at)
{
    static const struct parser_limits wide = {.request_line = 99, .fields = 4, .field_size = 99, .head = 99};
    struct head_finder finder = {0};
    size_t head;
    ck_assert_int_eq(head_find_end(&finder, lines[_i].bytes, &wide, &head), 0);
    ck_assert_msg(head_check_lines(&finder, lines[_i].bytes) == lines[_i].status, "%s", lines[_i].bytes.data);
}
END_TEST

/* The line is made bad after it was looked at: a second look would find that. */
START_TEST(a_line_is_looked_at_once)
{
    char bytes[] = "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n";
    static const struct parser_limits wide = {.request_line = 99, .fields = 4, .field_size = 99, .head = 99};
    struct head_finder finder = {0};
    size_t head;
    for (size_t size = 1; size < sizeof(bytes); size++) {
        ck_assert_int_eq(head_find_end(&finder, (struct slice){bytes, size}, &wide, &head), 0);
        ck_assert_int_eq(head_check_lines(&finder, (struct slice){bytes, size}), 0);
        if (bytes[size - 1] == '\n')
            memset(bytes, '\0', size);
    }
}
END_TEST

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"

static const struct parser_limits reader_limits = {
    .request_line = 20, .fields = 9, .field_size = 99, .head = 50};
static struct memo *memo;
static struct head_reader reader;
static struct head found;

static void set_up(void)
{
    memo = memo_new();
    reader.memo_slot = memo_recent(memo);
}

static void tear_down(void)
{
    memo_free(memo);
}

static int read_head(const char *bytes, size_t size)
{
    return head_read(&reader, memo, &reader_limits, (struct slice){bytes, size}, &found);
}

static void assert_whole(void)
{
    ck_assert_uint_eq(found.size, strlen(HEAD));
    ck_assert_int_eq(slice_eq(found.line, SLICE("GET / HTTP/1.1")), true);
    ck_assert_ptr_nonnull(found.section);
    ck_assert(slice_eq(found.section->host, SLICE("a")));
}

START_TEST(a_repeated_section_is_shared)
{
    struct header_section *sections[4];
    for (int i = 0; i < 4; i++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(HEAD "GET", strlen(HEAD) + 3), 0);
        assert_whole();
        sections[i] = found.section;
    }
    ck_assert_ptr_ne(sections[0], sections[1]);
    ck_assert_ptr_eq(sections[1], sections[2]);
    ck_assert_ptr_eq(sections[1], sections[3]);
    /* The head was found without a search: nothing of the finder was used. */
    ck_assert_uint_eq(reader.finder.scanned, 0);
    for (int i = 0; i < 4; i++)
        header_section_unref(sections[i]);
}
END_TEST

START_TEST(it_may_arrive_in_any_two_parts)
{
    size_t size = strlen(HEAD);
    for (size_t cut = 1; cut < size; cut++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(HEAD, cut), 0);
        ck_assert_uint_eq(found.size, 0);
        ck_assert_ptr_null(found.section);
        ck_assert_int_eq(read_head(HEAD, size), 0);
        assert_whole();
        header_section_unref(found.section);
    }
}
END_TEST

static const struct {
    const char *name, *bytes;
    int status;
} refused[] = {
    {"a bad field", "GET / HTTP/1.1\r\nHost a\r\n\r\n", 400},
    {"a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
    {"a long request line", "GET /aaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\nHost: a\r\n\r\n", 414},
    {"a long head", "GET / HTTP/1.1\r\nHost: a\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n", 431},
};

START_TEST(what_is_bad_is_refused_and_has_no_section)
{
    for (int i = 0; i < 3; i++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(refused[_i].bytes, strlen(refused[_i].bytes)), refused[_i].status);
        ck_assert_ptr_null(found.section);
    }
}
END_TEST

/* The section is known from a shorter head, which was within the limit. */
START_TEST(a_known_section_does_not_lift_the_limit_of_the_head)
{
    static const char fits[] = "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    static const char too_long[] = "GET /23456 HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    for (int i = 0; i < 3; i++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(fits, sizeof(fits) - 1), 0);
        header_section_unref(found.section);
    }
    head_reader_begin(&reader);
    ck_assert_int_eq(read_head(too_long, sizeof(too_long) - 1), 431);
    ck_assert_ptr_null(found.section);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, the_answer_is_as_the_table_says, cases);
    unit_add_rows(tests, the_answer_comes_with_the_byte_that_decides, cases);
    tcase_add_test(tests, the_request_line_is_measured);
    tcase_add_test(tests, empty_lines_are_skipped_in_whole_pairs);
    tcase_add_test(tests, empty_lines_have_an_end_however_they_arrive);
    unit_add_rows(tests, a_line_is_looked_at_when_it_is_whole, lines);
    unit_add_rows(tests, lines_that_arrive_together_are_all_looked_at, lines);
    tcase_add_test(tests, a_line_is_looked_at_once);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_repeated_section_is_shared);
    tcase_add_test(tests, it_may_arrive_in_any_two_parts);
    unit_add_rows(tests, what_is_bad_is_refused_and_has_no_section, refused);
    tcase_add_test(tests, a_known_section_does_not_lift_the_limit_of_the_head);
}

int main(void)
{
    return unit_run("http/head", add);
}
