/* The standard descriptors. */
#include "base/standard_fds.h"

#include <errno.h>
#include <fcntl.h>

/* Puts /dev/null under the number at once, so that no output is lost or misdirected meanwhile. When
 * no descriptor is left for it, the number is only closed. */
static void give_to_null(int fd)
{
    int null = open("/dev/null", O_RDWR);
    if (null == fd)
        return;
    if (null < 0) {
        close(fd);
        return;
    }
    dup2(null, fd);
    if (null > STDERR_FILENO)
        close(null);
}

int standard_fds_fill(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        give_to_null(fd);
        if (fcntl(fd, F_GETFD) < 0)
            return -1;
    }
    return 0;
}

int standard_fds_leave(int fd)
{
    int own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1), error = errno;
    give_to_null(fd);
    errno = error;
    return own;
}

int pair_above_standard(int r, int fds[2])
{
    if (r < 0)
        return r;
    fds[0] = fd_above_standard(fds[0]);
    fds[1] = fd_above_standard(fds[1]);
    if (fds[0] >= 0 && fds[1] >= 0)
        return 0;
    int error = errno;
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    errno = error;
    return -1;
}
