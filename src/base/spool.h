/*
 * A spool: an unlinked temporary file, for what is too large for memory. It never outlives the process, whatever ends
 * that: O_TMPFILE where the file system has it, else mkostemp and unlink at once.
 *
 * The caller owns the descriptor. All calls return 0, or -1 and errno (ENOSPC for a full disk).
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"

int spool_open(const char *directory); /* the descriptor, close-on-exec, or -1 and errno */
int spool_write(int fd, off_t offset, const void *data, size_t size); /* all of it, or -1 */

/*
 * The budget of spools: what all of the service may have together (--spool-total), and what this worker's have.
 *
 * The scoreboard's rows count that: what a worker had is free again when its row is emptied after its end.
 */
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
