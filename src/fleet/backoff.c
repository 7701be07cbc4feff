/* How long to wait before a worker that died is replaced. */
#include "fleet/backoff.h"

uint64_t backoff_next(struct backoff *backoff, uint64_t age_ms, uint32_t random)
{
    if (age_ms >= BACKOFF_HEALTHY_MS)
        backoff->failures = 0;
    unsigned failures = backoff->failures++;
    if (failures == 0)
        return 0;
    uint64_t pause = BACKOFF_MAX_MS;
    if (failures <= 7 && (uint64_t)BACKOFF_FIRST_MS << (failures - 1) < BACKOFF_MAX_MS)
        pause = (uint64_t)BACKOFF_FIRST_MS << (failures - 1);
    /* 80 % to 120 % */
    return pause * (80 + random % 41) / 100;
}
