/*
 * Heads with the help of the memo: the same answer as without it, however they arrive.
 */
#include "http/head_reader.h"

#include "unit.h"

#define HEAD "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n"

static const struct parser_limits limits = {.request_line = 20, .fields = 9, .field_size = 99, .head = 50};
static struct memo *memo;
static struct head_reader reader;
static struct head head;

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
    return head_read(&reader, memo, &limits, (struct slice){bytes, size}, &head);
}

static void assert_whole(void)
{
    ck_assert_uint_eq(head.size, strlen(HEAD));
    ck_assert_int_eq(slice_eq(head.line, SLICE("GET / HTTP/1.1")), true);
    ck_assert_ptr_nonnull(head.section);
    ck_assert(slice_eq(head.section->host, SLICE("a")));
}

START_TEST(a_repeated_section_is_shared)
{
    struct header_section *sections[4];
    for (int i = 0; i < 4; i++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(HEAD "GET", strlen(HEAD) + 3), 0);
        assert_whole();
        sections[i] = head.section;
    }
    ck_assert_ptr_ne(sections[0], sections[1]);
    ck_assert_ptr_eq(sections[1], sections[2]);
    ck_assert_ptr_eq(sections[1], sections[3]);
    /* The one that was found without a search: nothing of the finder was used. */
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
        ck_assert_uint_eq(head.size, 0);
        ck_assert_ptr_null(head.section);
        ck_assert_int_eq(read_head(HEAD, size), 0);
        assert_whole();
        header_section_unref(head.section);
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
        ck_assert_ptr_null(head.section);
    }
}
END_TEST

/* Known from a shorter head, which was within the limit. */
START_TEST(a_known_section_does_not_lift_the_limit_of_the_head)
{
    static const char fits[] = "GET / HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    static const char too_long[] = "GET /23456 HTTP/1.1\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n";
    for (int i = 0; i < 3; i++) {
        head_reader_begin(&reader);
        ck_assert_int_eq(read_head(fits, sizeof(fits) - 1), 0);
        header_section_unref(head.section);
    }
    head_reader_begin(&reader);
    ck_assert_int_eq(read_head(too_long, sizeof(too_long) - 1), 431);
    ck_assert_ptr_null(head.section);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_repeated_section_is_shared);
    tcase_add_test(tests, it_may_arrive_in_any_two_parts);
    unit_add_rows(tests, what_is_bad_is_refused_and_has_no_section, refused);
    tcase_add_test(tests, a_known_section_does_not_lift_the_limit_of_the_head);
}

int main(void)
{
    return unit_run("http/head_reader", add);
}
