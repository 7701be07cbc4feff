/*
 * Local time in the formats of logs: in zones on both sides of Greenwich, and from one second to
 * the next.
 */
#include "base/timestamp.h"

#include <stdio.h>

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

static void set_zone(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

static const char *const zones[] = {
    "UTC0",
    "CET-1CEST,M3.5.0,M10.5.0/3",
    "NZST-12NZDT,M9.5.0,M4.1.0/3",
    "EST5EDT,M3.2.0,M11.1.0",
    "NST3:30",
    ":Europe/Dublin",
    ":Africa/Casablanca", /* UTC where the list of zones is missing */
};

/* Django sets TZ in the workers. */
START_TEST(the_zone_that_was_kept_stays)
{
    enum { NOW = 1795341600, YEAR = 365 * 24 * 3600 };
    static char before[20 * 365][2][TIMESTAMP_SIZE];
    set_zone(zones[_i]);
    for (int again = 0; again < 2; again++) {
        for (int day = 0; day < 20 * 365 - 1; day++) {
            char text[TIMESTAMP_SIZE];
            struct timespec time = {NOW + (time_t)day * (24 * 3600 - 12), 0};
            timestamp_iso(text, &time);
            const char *common = timestamp_common(time.tv_sec);
            if (again == 0) {
                memcpy(before[day][0], text, sizeof(text));
                snprintf(before[day][1], sizeof(before[day][1]), "%s", common);
            }
            ck_assert_str_eq(text, before[day][0]);
            ck_assert_str_eq(common, before[day][1]);
        }
        timestamp_keep_zone(NOW);
        set_zone("XST8");
    }
}
END_TEST

START_TEST(a_change_is_to_the_second)
{
    char text[TIMESTAMP_SIZE];
    set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
    timestamp_keep_zone(1795341600);
    set_zone("XST8");
    timestamp_iso(text, &(struct timespec){1806195599, 0});
    ck_assert_str_eq(text, "2027-03-28T01:59:59.000+01:00");
    timestamp_iso(text, &(struct timespec){1806195600, 0});
    ck_assert_str_eq(text, "2027-03-28T03:00:00.000+02:00");
    timestamp_iso(text, &(struct timespec){1824944399, 0});
    ck_assert_str_eq(text, "2027-10-31T02:59:59.000+02:00");
    timestamp_iso(text, &(struct timespec){1824944400, 0});
    ck_assert_str_eq(text, "2027-10-31T02:00:00.000+01:00");
}
END_TEST

/* The clock was wrong at the start, or twenty years have passed. */
START_TEST(beyond_what_was_kept_the_zone_is_that_of_the_process)
{
    char text[TIMESTAMP_SIZE];
    set_zone("UTC0");
    timestamp_keep_zone(0);
    set_zone("CET-1");
    timestamp_iso(text, &(struct timespec){1795341600, 0});
    ck_assert_str_eq(text, "2026-11-22T11:00:00.000+01:00");
}
END_TEST

/* In English, in any locale. */
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
    unit_add_rows(tests, the_zone_that_was_kept_stays, zones);
    tcase_add_test(tests, a_change_is_to_the_second);
    tcase_add_test(tests, beyond_what_was_kept_the_zone_is_that_of_the_process);
}

int main(void)
{
    return unit_run("base/timestamp", add);
}
