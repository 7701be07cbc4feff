/* A histogram of durations. */
#include "base/histogram.h"

#include <assert.h>

/* The bounds of the decade that begins at `n` ns. Its first value ends the decade before. */
#define DECADE(n)                                                                                      \
    (n) * 5 / 4, (n)*3 / 2, (n)*7 / 4, (n)*2, (n)*5 / 2, (n)*3, (n)*7 / 2, (n)*4, (n)*5, (n)*6, (n)*7, \
        (n)*8, (n)*9, (n)*10

static const uint64_t bounds[HISTOGRAM_BUCKETS] = {
    UINT64_C(1000),
    DECADE(UINT64_C(1000)),
    DECADE(UINT64_C(10000)),
    DECADE(UINT64_C(100000)),
    DECADE(UINT64_C(1000000)),
    DECADE(UINT64_C(10000000)),
    DECADE(UINT64_C(100000000)),
    DECADE(UINT64_C(1000000000)),
    DECADE(UINT64_C(10000000000)),
    UINT64_MAX,
};

/* Indexed by the number of binary digits of a value: the bucket of the smallest such value. The
 * right bucket is at most five further. Stepping there costs less than a division or a search. */
enum { DIGITS_MAX = 37 };
static const uint8_t first[DIGITS_MAX + 1] = {
    0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  0,  1,  5,  9,  13, 17, 21,  25,  30,
    34, 38, 43, 47, 51, 55, 59, 63, 67, 72, 76, 80, 85, 89, 93, 97, 101, 105, 109,
};

static unsigned bucket_of(uint64_t ns)
{
    unsigned digits = ns == 0 ? 0 : 64 - (unsigned)__builtin_clzll(ns);
    if (digits > DIGITS_MAX)
        return HISTOGRAM_BUCKETS - 1;
    unsigned bucket = first[digits];
    while (ns > bounds[bucket])
        bucket++;
    return bucket;
}

static uint64_t load(const _Atomic uint64_t *field)
{
    return atomic_load_explicit(field, memory_order_relaxed);
}

/* Adds without a locked instruction: a histogram has one writer. */
static void increase(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, load(field) + value, memory_order_relaxed);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned bucket = bucket_of(ns);
    increase(&histogram->counts[bucket], 1);
    increase(&histogram->sum, ns);
}

void histogram_read(const struct histogram *histogram, struct histogram_copy *copy)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        uint64_t count = load(&histogram->counts[i]);
        copy->counts[i] += count;
        copy->count += count;
    }
    copy->sum += load(&histogram->sum);
}

void histogram_subtract(struct histogram_copy *copy, const struct histogram_copy *before)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
        copy->counts[i] -= before->counts[i];
    copy->count -= before->count;
    copy->sum -= before->sum;
}

/* Assumes that a bucket's values are spread evenly over it. */
static uint64_t interpolate(unsigned bucket, double part)
{
    uint64_t low = bucket > 0 ? bounds[bucket - 1] : 0;
    if (bucket == HISTOGRAM_BUCKETS - 1)
        return low;
    return low + (uint64_t)(part * (double)(bounds[bucket] - low));
}

uint64_t histogram_quantile(const struct histogram_copy *copy, double q)
{
    double rank = q * (double)copy->count, below = 0;
    unsigned last = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        double here = (double)copy->counts[i];
        if (here > 0 && below + here >= rank)
            return interpolate(i, (rank - below) / here);
        below += here;
        last = here > 0 ? i : last;
    }
    return copy->count > 0 ? interpolate(last, 1) : 0; /* rounding has lost the last value */
}

uint64_t histogram_up_to(const struct histogram_copy *copy, uint64_t ns)
{
    uint64_t count = 0;
    unsigned i = 0;
    for (; i < HISTOGRAM_BUCKETS - 1 && bounds[i] <= ns; i++)
        count += copy->counts[i];
    assert(i > 0 && bounds[i - 1] == ns);
    return count;
}

uint64_t histogram_bound(unsigned bucket)
{
    assert(bucket < HISTOGRAM_BUCKETS);
    return bounds[bucket];
}
