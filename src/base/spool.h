/*
 * A spool: an unlinked temporary file, for data that is too large for memory. It never outlives the
 * process, however that ends: O_TMPFILE where the file system supports it, else mkostemp and an
 * unlink at once.
 *
 * The caller owns the descriptor. All calls return 0 or a descriptor, or -1 and errno (ENOSPC for a
 * full disk).
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"

int spool_open(const char *directory); /* the descriptor, close-on-exec, or -1 and errno */
int spool_write(int fd, off_t offset, const void *data, size_t size); /* writes all of it, or returns -1 */

/*
 * The budget of spools: the bytes that the service may reserve (--spool-total), and those of this
 * worker.
 *
 * Reservations are counted in the scoreboard's rows. When the master empties a dead worker's row,
 * its bytes are free again.
 */
struct spool_budget {
    uint64_t total;                 /* bytes */
    const struct scoreboard *board; /* NULL: there is no limit, and nothing is counted */
    struct scoreboard_row *row;     /* this worker's */
    pid_t pid; /* owner of the row: a child of the application must not release its bytes */
};

/* For this process. */
void spool_budget_init(struct spool_budget *budget, uint64_t total, const struct scoreboard *board,
                       struct scoreboard_row *row);

/* Raises *reserved, of one spool, to at least `size`, in steps, so that rows are seldom summed. 0;
 * or -1 and errno ENOBUFS when all spools together would exceed the total. Workers that reserve at
 * the same time may exceed it by a step each. `budget` may be NULL. Any thread. */
int spool_reserve(const struct spool_budget *budget, uint64_t *reserved, uint64_t size);
/* Reserves without a check, for a spool that comes from another worker with its content. */
void spool_take_over(const struct spool_budget *budget, uint64_t *reserved, uint64_t size);
void spool_release(const struct spool_budget *budget, uint64_t *reserved);
/* The text for an errno of these functions. */
const char *spool_strerror(int error);
/* The reserved bytes of all rows. */
uint64_t spool_sum(const struct scoreboard *board);

#endif
