/*
 * A histogram of durations: how many fell into each bucket, in memory that others may read meanwhile.
 *
 * The buckets are the same everywhere, so that histograms can be added up: 14 in each decade from 1 µs to 100 s, and one beyond. A
 * bucket's bound is its largest value, and round in decimal (1, 1.25, 1.5 ... 2, 2.5 ... 4, 5 ... 10), as those are whom people ask for.
 * One thread at a time writes, as it does the rest of a scoreboard's row; anybody reads, and takes a copy to calculate with.
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
    _Atomic uint64_t counts[HISTOGRAM_BUCKETS]; /* the last one is for what is over all bounds */
    _Atomic uint64_t sum;                       /* ns */
};

/* What was read of one or more. */
struct histogram_copy {
    uint64_t counts[HISTOGRAM_BUCKETS];
    uint64_t count; /* the sum of the counts */
    uint64_t sum;   /* ns */
};

/* The one writer's. */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds what stands in it now; `copy` begins with zeros. */
void histogram_read(const struct histogram *histogram, struct histogram_copy *copy);
/* What came after `before`, an earlier copy of the same. */
void histogram_subtract(struct histogram_copy *copy, const struct histogram_copy *before);

/* The duration in ns that the part `q` of all (0 to 1) does not exceed, interpolated within its bucket; 0 when there is none. What is
 * over all bounds counts as the last bound. */
uint64_t histogram_quantile(const struct histogram_copy *copy, double q);

/* How many were at most `ns`, which is a bucket's bound. */
uint64_t histogram_up_to(const struct histogram_copy *copy, uint64_t ns);

/* The largest value in ns of a bucket; UINT64_MAX for the last one. */
uint64_t histogram_bound(unsigned bucket);

#endif
