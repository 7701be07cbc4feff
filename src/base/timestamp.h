/*
 * Local time in the formats of logs. A second's text is made once: breaking a time down costs more
 * than the rest of a line. Any thread.
 *
 * The zone is that of the start. An application may set another zone for its process (Django sets
 * TZ and calls tzset). Without a remembered zone, the lines of one service would be in several
 * zones.
 */
#ifndef BASE_TIMESTAMP_H
#define BASE_TIMESTAMP_H

#include <stddef.h>
#include <time.h>

enum { TIMESTAMP_SIZE = 64 };

/* Remembers the present zone of the process, for times up to 20 years from `now`. Children keep it.
 * Call before other threads start. */
void timestamp_keep_zone(time_t now);

/* "Jan" to "Dec", for 0 to 11. strftime's names depend on the application's locale. */
const char *timestamp_month(int month);

/* 2026-11-22T10:00:00.123+01:00 (RFC 3339). Terminated; returns its size. */
size_t timestamp_iso(char out[TIMESTAMP_SIZE], const struct timespec *time);
/* 22/Nov/2026:10:00:00 +0100, the usual form of web servers. Lives until the thread's next call. */
const char *timestamp_common(time_t second);

#endif
