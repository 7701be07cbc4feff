/*
 * Time that only goes forward, for durations and deadlines. From any thread.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC_COARSE in ms: a few nanoseconds to read, a few milliseconds fine. */
uint64_t clock_ms(void);

/* CLOCK_MONOTONIC in ns, for what is reported. */
uint64_t clock_ns(void);

#endif
