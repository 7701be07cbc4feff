/*
 * Spools: unlinked temporary files, and their budget.
 */
#include "base/spool.h"

#include "base/mem.h"
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Makes a file that has a name for an instant, where the file system has no nameless files. */
static int open_and_unlink(const char *directory)
{
    char *path = xasprintf("%s/gateway-XXXXXX", directory);
    int fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    free(path);
    return fd;
}

int spool_open(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    /* EOPNOTSUPP: the file system lacks nameless files. EISDIR: the kernel does not know the
     * flag. */
    if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
        fd = open_and_unlink(directory);
    return fd_above_standard(fd);
}

int spool_write(int fd, off_t offset, const void *data, size_t size)
{
    const char *next = data;
    while (size > 0) {
        ssize_t written = pwrite(fd, next, size, offset);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            errno = written == 0 ? ENOSPC : errno;
            return -1;
        }
        next += written;
        offset += written;
        size -= (size_t)written;
    }
    return 0;
}

void spool_budget_init(struct spool_budget *budget, uint64_t total, const struct scoreboard *board,
                       struct scoreboard_row *row)
{
    *budget = (struct spool_budget){.total = total, .board = board, .row = row, .pid = getpid()};
}

/* The unit of reservations: much less than a disk has, much more than a write. */
enum { SPOOL_STEP = 256 * 1024 };

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
    uint64_t steps = (size - *reserved + SPOOL_STEP - 1) / SPOOL_STEP * SPOOL_STEP;
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
