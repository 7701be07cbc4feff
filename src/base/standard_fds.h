/*
 * The standard descriptors, 0 to 2. Libraries of the application print to them, and some libraries
 * close them to become daemons. A descriptor of ours with such a number would receive that output:
 * a client could get another client's traceback. So each descriptor that is made while the
 * application runs is moved above them. A number that was free leads to /dev/null from then on. Any
 * thread.
 */
#ifndef BASE_STANDARD_FDS_H
#define BASE_STANDARD_FDS_H

#include <unistd.h>

/* Opens closed ones on /dev/null. 0, or -1 and errno. */
int standard_fds_fill(void);

/* The slow path of fd_above_standard. */
int standard_fds_leave(int fd);

/* Wraps each call that makes a descriptor. Returns the call's result, or the same file under a
 * number above 2, close-on-exec; the old number then leads to /dev/null. -1 and errno of the call,
 * or when no other number is free: the file is closed then. */
static inline int fd_above_standard(int fd)
{
    return fd < 0 || fd > STDERR_FILENO ? fd : standard_fds_leave(fd);
}

/* The same for both ends of a pipe or pair, after a call that returned `r`. */
int pair_above_standard(int r, int fds[2]);

#endif
