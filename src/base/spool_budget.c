/* The budget of spools: reservations in the scoreboard. */
#include "base/spool_budget.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void spool_budget_init(struct spool_budget *budget, uint64_t total, const struct scoreboard *board,
                       struct scoreboard_row *row)
{
    *budget = (struct spool_budget){.total = total, .board = board, .row = row, .pid = getpid()};
}

/* Of a reservation: much less than a disk has, much more than a write. */
enum { STEP = 256 * 1024 };

const char *spool_strerror(int error)
{
    return error == ENOBUFS ? "--spool-total is reached" : strerror(error);
}

uint64_t spool_sum(const struct scoreboard *board)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < board->count; i++)
        sum += scoreboard_get(board->rows[i].spooled);
    return sum;
}

void spool_take_over(const struct spool_budget *budget, uint64_t *reserved, uint64_t size)
{
    if (budget == NULL || budget->board == NULL || size <= *reserved)
        return;
    uint64_t steps = (size - *reserved + STEP - 1) / STEP * STEP;
    scoreboard_count(budget->row->spooled, steps);
    *reserved += steps;
}

int spool_reserve(const struct spool_budget *budget, uint64_t *reserved, uint64_t size)
{
    if (budget == NULL || budget->board == NULL || size <= *reserved)
        return 0;
    uint64_t before = spool_sum(budget->board);
    if (before > budget->total || size - *reserved > budget->total - before) {
        errno = ENOBUFS;
        return -1;
    }
    spool_take_over(budget, reserved, size);
    return 0;
}

void spool_release(const struct spool_budget *budget, uint64_t *reserved)
{
    if (budget != NULL && budget->board != NULL && *reserved > 0 && budget->pid == getpid())
        atomic_fetch_sub_explicit(&budget->row->spooled, *reserved, memory_order_relaxed);
    *reserved = 0;
}
