/*
 * Monotonic time, for durations and deadlines. Any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

/* CLOCK_MONOTONIC_COARSE in ms: takes a few nanoseconds to read, exact to a few milliseconds. */
uint64_t clock_ms(void);

/* CLOCK_MONOTONIC in ns, for reported durations. */
uint64_t clock_ns(void);

/* Converts a duration for timers. */
static inline struct timeval clock_timeval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

#endif
