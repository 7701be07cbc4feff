/*
 * Local time as logs write it. A second's text is made once: breaking a time down costs more than the rest of a line.
 * From any thread.
 */
#ifndef BASE_TIMESTAMP_H
#define BASE_TIMESTAMP_H

#include <stddef.h>
#include <time.h>

enum { TIMESTAMP_SIZE = 64 };

/* "Jan" to "Dec", 0 to 11: strftime's are those of the locale that the application may have set. */
const char *timestamp_month(int month);

/* 2026-11-22T10:00:00.123+01:00 (RFC 3339). Terminated; returns its size. */
size_t timestamp_iso(char out[TIMESTAMP_SIZE], const struct timespec *time);
/* 22/Nov/2026:10:00:00 +0100, as web servers have always written it. Lives until the thread's next call. */
const char *timestamp_common(time_t second);

#endif
