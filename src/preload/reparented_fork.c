/* A fork(2) whose child becomes the child of an ancestor. */
#include "preload/reparented_fork.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/standard_fds.h"

/* Sends an int: the answer of the process in between, or the permission to begin. */
static void send_int(int end, int value)
{
    send(end, &value, sizeof(value), MSG_NOSIGNAL);
}

static int receive_int(int end, int *value, int flags)
{
    ssize_t n;
    do
        n = recv(end, value, sizeof(*value), flags);
    while (n < 0 && errno == EINTR);
    return n == sizeof(*value) ? 0 : -1;
}

static void await_start(int end)
{
    int permission;
    if (receive_int(end, &permission, 0) < 0)
        _exit(EXIT_FAILURE);
    close(end);
}

/* Returns in the new process. */
static void be_in_between(int end)
{
    pid_t pid = fork();
    if (pid == 0)
        return;
    send_int(end, pid > 0 ? (int)pid : -errno);
    _exit(EXIT_SUCCESS);
}

/* The process that it has forked has a new parent once it is gone. */
static void await_exit(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* When the process in between is killed before it can answer, the process that it may have
 * forked waits in vain for the permission, and ends. */
static pid_t take_answer(int end)
{
    int answer = -ECHILD;
    receive_int(end, &answer, MSG_DONTWAIT);
    if (answer > 0)
        return answer;
    close(end);
    errno = -answer;
    return -1;
}

pid_t reparented_fork(int *start)
{
    int ends[2];
    *start = -1;
    if (pair_above_standard(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ends) < 0)
        return -1;
    pid_t between = fork();
    if (between == 0) {
        close(ends[0]);
        be_in_between(ends[1]);
        await_start(ends[1]);
        return 0;
    }
    int error = errno;
    close(ends[1]);
    if (between < 0) {
        close(ends[0]);
        errno = error;
        return -1;
    }
    await_exit(between);
    *start = ends[0];
    return take_answer(ends[0]);
}

void reparented_fork_begin(int start)
{
    send_int(start, 1);
    close(start);
}
