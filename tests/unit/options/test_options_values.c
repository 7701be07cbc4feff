/*
 * The notation of times and sizes.
 */
#include "options/options_values.h"

#include "unit.h"

static const struct {
    const char *text;
    int result;
    int64_t value;
} time_values[] =
    {
        {"90", 0, 90000},
        {"30s", 0, 30000},
        {"500ms", 0, 500},
        {"2m", 0, 120000},
        {"1h", 0, 3600000},
        {"0", 0, 0},
        {"9223372036854775807ms", 0, INT64_MAX},
        {"9223372036854775808ms", -1, 0},
        {"9223372036854775807", -1, 0},
        {"99999999999999999999", -1, 0},
        {"", -1, 0},
        {"s", -1, 0},
        {"1.5s", -1, 0},
        {"-1s", -1, 0},
        {"+1s", -1, 0},
        {" 1s", -1, 0},
        {"1 s", -1, 0},
        {"1s ", -1, 0},
        {"1S", -1, 0},
        {"1ss", -1, 0},
        {"1d", -1, 0},
        {"1k", -1, 0},
        {"0x1", -1, 0},
},
  size_values[] = {
      {"4096", 0, 4096},
      {"64k", 0, 65536},
      {"10m", 0, 10485760},
      {"1g", 0, 1073741824},
      {"1K", 0, 1024},
      {"1M", 0, 1048576},
      {"1G", 0, 1073741824},
      {"0", 0, 0},
      {"9223372036854775807", 0, INT64_MAX},
      {"9223372036854775808", -1, 0},
      {"9007199254740992k", -1, 0},
      {"", -1, 0},
      {"k", -1, 0},
      {"1kb", -1, 0},
      {"1s", -1, 0},
      {"-1", -1, 0},
      {"1.5k", -1, 0},
      {"1 k", -1, 0},
};

START_TEST(times_are_read_to_the_letter)
{
    int64_t value = 4711;
    ck_assert_msg(options_parse_time(time_values[_i].text, &value) == time_values[_i].result, "%s",
                  time_values[_i].text);
    ck_assert_int_eq(value, time_values[_i].result == 0 ? time_values[_i].value : 4711);
}
END_TEST

START_TEST(sizes_are_read_to_the_letter)
{
    int64_t value = 4711;
    ck_assert_msg(options_parse_size(size_values[_i].text, &value) == size_values[_i].result, "%s",
                  size_values[_i].text);
    ck_assert_int_eq(value, size_values[_i].result == 0 ? size_values[_i].value : 4711);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, times_are_read_to_the_letter, time_values);
    unit_add_rows(tests, sizes_are_read_to_the_letter, size_values);
}

int main(void)
{
    return unit_run("options/options_values", add);
}
