/* Local time in the formats of logs. */
#include "base/timestamp.h"

#include <stdio.h>
#include <stdlib.h>

/* The last second that was formatted. Per thread, so that it needs no lock. */
static _Thread_local struct {
    time_t second;
    char date[24]; /* 2026-11-22T10:00:00; empty before the first */
    char zone[32]; /* +01:00 */
    char common[64];
} stamp;

enum { DAY = 24 * 3600, STEP = 7 * DAY, SPAN = 20 * 365 * DAY, CHANGES = 128 };

/* The times at which the zone's offset from UTC changes: twice a year, or never. */
static struct {
    time_t from, to; /* the known span; both 0: none */
    size_t count;
    struct {
        time_t at;
        long offset;
    } changes[CHANGES]; /* the first is at `from` */
} zone;

static long offset_at(time_t second)
{
    struct tm local;
    return localtime_r(&second, &local) != NULL ? local.tm_gmtoff : 0;
}

/* The first second with the offset of `late`; `early` has another offset. */
static time_t find_change(time_t early, time_t late)
{
    long offset = offset_at(late);
    while (late - early > 1) {
        time_t middle = early + (late - early) / 2;
        if (offset_at(middle) == offset)
            late = middle;
        else
            early = middle;
    }
    return late;
}

static void add_change(time_t at, long offset)
{
    zone.changes[zone.count].at = at;
    zone.changes[zone.count++].offset = offset;
}

void timestamp_keep_zone(time_t now)
{
    tzset();
    zone.from = now - DAY;
    zone.to = zone.from;
    zone.count = 0;
    add_change(zone.from, offset_at(zone.from));
    while (zone.to < now + SPAN && zone.count < CHANGES) {
        time_t next = zone.to + STEP;
        long offset = offset_at(next);
        if (offset != zone.changes[zone.count - 1].offset)
            add_change(find_change(zone.to, next), offset);
        zone.to = next;
    }
}

/* As localtime_r, but in the remembered zone; outside its span, in the zone of the process. */
static void break_down(time_t second, struct tm *local)
{
    size_t i = zone.count;
    if (second < zone.from || second >= zone.to) {
        localtime_r(&second, local);
        return;
    }
    while (i > 1 && zone.changes[i - 1].at > second)
        i--;
    long offset = zone.changes[i - 1].offset;
    time_t shifted = second + offset;
    gmtime_r(&shifted, local);
    local->tm_gmtoff = offset;
}

const char *timestamp_month(int month)
{
    static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    return months[month];
}

static void stamp_second(time_t second)
{
    struct tm local;
    break_down(second, &local);
    strftime(stamp.date, sizeof(stamp.date), "%Y-%m-%dT%H:%M:%S", &local);
    char sign = local.tm_gmtoff < 0 ? '-' : '+';
    long minutes = labs(local.tm_gmtoff) / 60;
    snprintf(stamp.zone, sizeof(stamp.zone), "%c%02ld:%02ld", sign, minutes / 60, minutes % 60);
    snprintf(stamp.common, sizeof(stamp.common), "%02d/%s/%d:%02d:%02d:%02d %c%02ld%02ld", local.tm_mday,
             timestamp_month(local.tm_mon), local.tm_year + 1900, local.tm_hour, local.tm_min, local.tm_sec,
             sign, minutes / 60, minutes % 60);
    stamp.second = second;
}

static void stamp_keep(time_t second)
{
    if (second != stamp.second || stamp.date[0] == '\0')
        stamp_second(second);
}

size_t timestamp_iso(char out[TIMESTAMP_SIZE], const struct timespec *time)
{
    stamp_keep(time->tv_sec);
    return (size_t)snprintf(out, TIMESTAMP_SIZE, "%s.%03d%s", stamp.date, (int)(time->tv_nsec / 1000000),
                            stamp.zone);
}

const char *timestamp_common(time_t second)
{
    stamp_keep(second);
    return stamp.common;
}
