/* Local time as logs write it. */
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>

/* The second that was asked for last. Per thread: then it needs no lock. */
static _Thread_local struct {
    time_t second;
    char date[24]; /* 2026-11-22T10:00:00; empty before the first */
    char zone[32]; /* +01:00 */
    char common[64];
} stamp;

const char *timestamp_month(int month)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return months[month];
}

static void stamp_second(time_t second)
{
    struct tm local;
    localtime_r(&second, &local);
    strftime(stamp.date, sizeof(stamp.date), "%Y-%m-%dT%H:%M:%S", &local);
    char sign = local.tm_gmtoff < 0 ? '-' : '+';
    long minutes = labs(local.tm_gmtoff) / 60;
    snprintf(stamp.zone, sizeof(stamp.zone), "%c%02ld:%02ld", sign, minutes / 60, minutes % 60);
    snprintf(stamp.common, sizeof(stamp.common), "%02d/%s/%d:%02d:%02d:%02d %c%02ld%02ld", local.tm_mday,
             timestamp_month(local.tm_mon), local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
             sign, minutes / 60, minutes % 60);
    stamp.second = second;
}

static void settle(time_t second)
{
    if (second != stamp.second || stamp.date[0] == '\0')
        stamp_second(second);
}

size_t timestamp_iso(char out[TIMESTAMP_SIZE], const struct timespec *time)
{
    settle(time->tv_sec);
    return (size_t)snprintf(out, TIMESTAMP_SIZE, "%s.%03d%s", stamp.date, (int)(time->tv_nsec / 1000000),
                            stamp.zone);
}

const char *timestamp_common(time_t second)
{
    settle(second);
    return stamp.common;
}
