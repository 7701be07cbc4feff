/*
 * The standard descriptors, 0 to 2. Libraries of the application print to them, and some close them, to become daemons. A
 * descriptor of ours with such a number would then be printed to: a client would receive another one's traceback. So each
 * descriptor that is made while the application runs is taken above them, and where one was free, it is closed to others: it leads to
 * /dev/null from then on.
 */
#ifndef BASE_STANDARD_FDS_H
#define BASE_STANDARD_FDS_H

#include <unistd.h>

/* Opens those that are closed, on /dev/null. 0, or -1 and errno. */
int standard_fds_fill(void);

/* The slow path of fd_above_standard. */
int standard_fds_leave(int fd);

/* Around each call that makes a descriptor: what the call has returned, or the same file under a number above 2, close-on-exec; the
 * former number then leads to /dev/null. -1 and errno as the call, or where there is no other number: the file is closed then. */
static inline int fd_above_standard(int fd)
{
    return fd < 0 || fd > STDERR_FILENO ? fd : standard_fds_leave(fd);
}

/* The same for both ends of a pipe or pair, after a call that returned `r`. */
int pair_above_standard(int r, int fds[2]);

#endif
