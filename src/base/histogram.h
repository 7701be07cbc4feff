/*
 * A histogram of durations: a count per bucket, in memory that other processes read meanwhile.
 *
 * All histograms have the same buckets, so that they can be added up: 14 in each decade from 1 µs
 * to 100 s, and one beyond. The bound of a bucket is its largest value. Bounds are round decimal
 * numbers (1, 1.25, 1.5 ... 2, 2.5 ... 4, 5 ... 10), because people ask for such numbers.
 *
 * One thread at a time writes, as for the rest of a scoreboard row. Any process reads: it takes a
 * copy and calculates with that.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdatomic.h>
#include <stdint.h>

enum {
    HISTOGRAM_DECADES = 8,
    HISTOGRAM_STEPS = 14,
    HISTOGRAM_BUCKETS = HISTOGRAM_DECADES * HISTOGRAM_STEPS + 2
};

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS]; /* the last one counts values over all bounds */
    _Atomic uint64_t sum;                       /* ns */
};

/* A copy of one histogram, or the sum of several. */
struct histogram_copy {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count; /* the sum of the counts */
    uint64_t sum;   /* ns */
};

/* Only the writer may call it. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds the present values to `copy`, which begins with zeros. */
void histogram_read(const struct histogram *histogram, struct histogram_copy *copy);
/* Subtracts `before`, an earlier copy of the same histogram: leaves what came after it. */
void histogram_subtract(struct histogram_copy *copy, const struct histogram_copy *before);

/* The duration in ns that the part `q` (0 to 1) of all values does not exceed, interpolated within
 * its bucket. 0 when the histogram is empty. A value over all bounds counts as the last bound. */
uint64_t histogram_quantile(const struct histogram_copy *copy, double q);

/* The number of values up to `ns`, which must be a bucket's bound. */
uint64_t histogram_up_to(const struct histogram_copy *copy, uint64_t ns);

/* The largest value in ns of a bucket; UINT64_MAX for the last one. */
uint64_t histogram_bound(unsigned bucket);

#endif
