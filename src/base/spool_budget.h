/*
 * The budget of spools (base/spool.h): what all of the service may have together (--spool-total), and what this worker's have.
 *
 * The scoreboard's rows count that: what a worker had is free again when its row is emptied after its end.
 */
#ifndef BASE_SPOOL_BUDGET_H
#define BASE_SPOOL_BUDGET_H

#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"

struct spool_budget {
    uint64_t total;                 /* bytes */
    const struct scoreboard *board; /* NULL: there is no limit, and nothing is counted */
    struct scoreboard_row *row;     /* ours */
    pid_t pid;                      /* whose that is: a child of the application gives nothing back */
};

/* Of this process. */
void spool_budget_init(struct spool_budget *budget, uint64_t total, const struct scoreboard *board,
                       struct scoreboard_row *row);

/* From any thread. *reserved, of one spool, becomes at least `size`, in steps, so that the rows are seldom added up; 0, or -1 and errno
 * ENOBUFS when all spools together would have more than their total. Workers that do so at once may exceed it by a step each. A
 * budget of NULL is fine. */
int spool_reserve(const struct spool_budget *budget, uint64_t *reserved, uint64_t size);
/* The same for a spool that is there already: it comes from another worker. */
void spool_take_over(const struct spool_budget *budget, uint64_t *reserved, uint64_t size);
void spool_release(const struct spool_budget *budget, uint64_t *reserved);
/* What is wrong, by the errno of any of these functions. */
const char *spool_strerror(int error);
/* All rows together. */
uint64_t spool_sum(const struct scoreboard *board);

#endif
