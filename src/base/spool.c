/*
 * Spools: unlinked temporary files. See spool.h.
 */
#include "base/spool.h"

#include "base/mem.h"
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A file that has a name for an instant, where the file system has no nameless ones. */
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
    /* EOPNOTSUPP: this file system has none. EISDIR: the kernel does not know the flag. */
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
