/*
 * Time that only goes forward, for durations and deadlines. From any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <sys/time.h>

/* CLOCK_MONOTONIC_COARSE in ms: a few nanoseconds to read, a few milliseconds fine. */
uint64_t clock_ms(void);

/* CLOCK_MONOTONIC in ns, for what is reported. */
uint64_t clock_ns(void);

/* A duration as timers want it. */
static inline struct timeval clock_timeval(uint64_t ms)
{
    return (struct timeval){.tv_sec = (time_t)(ms / 1000), .tv_usec = (suseconds_t)(ms % 1000 * 1000)};
}

#endif
