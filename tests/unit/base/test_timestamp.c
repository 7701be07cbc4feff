/*
 * Local time as logs write it: both forms, in zones on both sides of Greenwich, and from one second to the next.
 */
#include "base/timestamp.h"

#include "unit.h"

static const struct {
    const char *name, *zone;
    struct timespec time;
    const char *iso, *common;
} cases[] = {
    {"Greenwich",
     "UTC0",
     {1795341600, 123456789},
     "2026-11-22T10:00:00.123+00:00",
     "22/Nov/2026:10:00:00 +0000"},
    {"east of it", "CET-1", {1795341600, 0}, "2026-11-22T11:00:00.000+01:00", "22/Nov/2026:11:00:00 +0100"},
    {"west of it",
     "NST3:30",
     {1795341600, 999999999},
     "2026-11-22T06:30:00.999-03:30",
     "22/Nov/2026:06:30:00 -0330"},
    {"the first second of all",
     "UTC0",
     {0, 1000000},
     "1970-01-01T00:00:00.001+00:00",
     "01/Jan/1970:00:00:00 +0000"},
};

START_TEST(a_time_has_both_forms)
{
    char text[TIMESTAMP_SIZE];
    setenv("TZ", cases[_i].zone, 1);
    tzset();
    ck_assert_uint_eq(timestamp_iso(text, &cases[_i].time), strlen(cases[_i].iso));
    ck_assert_str_eq(text, cases[_i].iso);
    ck_assert_str_eq(timestamp_common(cases[_i].time.tv_sec), cases[_i].common);
}
END_TEST

START_TEST(a_second_follows_the_other)
{
    char text[TIMESTAMP_SIZE];
    setenv("TZ", "UTC0", 1);
    tzset();
    timestamp_iso(text, &(struct timespec){59, 0});
    ck_assert_str_eq(timestamp_common(60), "01/Jan/1970:00:01:00 +0000");
    timestamp_iso(text, &(struct timespec){61, 0});
    ck_assert_str_eq(text, "1970-01-01T00:01:01.000+00:00");
}
END_TEST

/* In English, whatever the locale. */
START_TEST(months_have_their_names)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int month = 0; month < 12; month++)
        unit_assert_bytes("a month", timestamp_month(month), strlen(timestamp_month(month)),
                          names + 3 * month, 3);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, months_have_their_names);
    unit_add_rows(tests, a_time_has_both_forms, cases);
    tcase_add_test(tests, a_second_follows_the_other);
}

int main(void)
{
    return unit_run("base/timestamp", add);
}
