/*
 * Two small texts of every answer: the Date line, and the size line of a chunk.
 */
#include <stdio.h>

#include "base/timestamp.h"
#include "http/response.h"

struct slice date_line(struct date_cache *cache, time_t now)
{
    /* Not strftime: the application may have set a locale. */
    static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    if (cache->size == 0 || cache->now != now) {
        struct tm tm;
        gmtime_r(&now, &tm);
        int size = snprintf(cache->line, sizeof(cache->line), "Date: %s, %02d %s %04d %02d:%02d:%02d GMT\r\n",
                            days[tm.tm_wday], tm.tm_mday, timestamp_month(tm.tm_mon),
                            (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
        cache->size = (size_t)size < sizeof(cache->line) ? (size_t)size : sizeof(cache->line) - 1;
        cache->now = now;
    }
    return (struct slice){cache->line, cache->size};
}

size_t chunk_head(char *out, uint64_t size)
{
    size_t digits = size == 0 ? 1 : (67 - (size_t)__builtin_clzll(size)) / 4;
    for (size_t i = digits; i > 0; i--) {
        out[i - 1] = "0123456789abcdef"[size & 15];
        size >>= 4;
    }
    memcpy(out + digits, "\r\n", 2);
    return digits + 2;
}
