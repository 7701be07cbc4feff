/*
 * The small texts of every answer: dates, chunk sizes, reasons.
 */
#include "http/response.h"
#include "unit.h"

static const struct {
    time_t now;
    const char *line;
} dates[] = {
    {784111777, "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"}, /* RFC 9110 5.6.7 */
    {0, "Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n"},
    {951827696, "Date: Tue, 29 Feb 2000 12:34:56 GMT\r\n"},
    {4102444799, "Date: Thu, 31 Dec 2099 23:59:59 GMT\r\n"},
};

START_TEST(a_date_is_written_as_the_rfc_says)
{
    struct date_cache cache = {0};
    struct slice line = date_line(&cache, dates[_i].now);
    unit_assert_bytes("date", line.data, line.size, dates[_i].line, strlen(dates[_i].line));
}
END_TEST

START_TEST(a_date_is_remade_when_the_time_has_changed)
{
    struct date_cache cache = {0};
    date_line(&cache, 784111777);
    struct slice line = date_line(&cache, 784111778);
    ck_assert(slice_eq(line, SLICE("Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n")));
    line = date_line(&cache, 784111777);
    ck_assert(slice_eq(line, SLICE("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n")));
}
END_TEST

static const struct {
    uint64_t size;
    const char *line;
} chunks[] = {
    {0, "0\r\n"},
    {1, "1\r\n"},
    {15, "f\r\n"},
    {16, "10\r\n"},
    {255, "ff\r\n"},
    {256, "100\r\n"},
    {0x1a2b, "1a2b\r\n"},
    {UINT64_MAX >> 4, "fffffffffffffff\r\n"},
    {UINT64_MAX, "ffffffffffffffff\r\n"},
};

START_TEST(a_chunk_size_is_hexadecimal)
{
    char out[CHUNK_HEAD_MAX];
    size_t size = chunk_head(out, chunks[_i].size);
    unit_assert_bytes("chunk", out, size, chunks[_i].line, strlen(chunks[_i].line));
}
END_TEST

START_TEST(statuses_have_reasons)
{
    ck_assert_str_eq(status_reason(200), "OK");
    ck_assert_str_eq(status_reason(404), "Not Found");
    ck_assert_str_eq(status_reason(431), "Request Header Fields Too Large");
    ck_assert_str_eq(status_reason(505), "HTTP Version Not Supported");
    ck_assert_str_eq(status_reason(299), "Unknown");
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_date_is_written_as_the_rfc_says, dates);
    tcase_add_test(tests, a_date_is_remade_when_the_time_has_changed);
    unit_add_rows(tests, a_chunk_size_is_hexadecimal, chunks);
    tcase_add_test(tests, statuses_have_reasons);
}

int main(void)
{
    return unit_run("http/date", add);
}
