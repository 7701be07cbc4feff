/* A fork(2) whose child becomes the child of an ancestor. */
#include "preload/reparented_fork.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/standard_fds.h"

/* The answer of the process in between, and the word to begin: one int each. */
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

static void await_word(int end)
{
    int word;
    if (receive_int(end, &word, 0) < 0)
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

/* What it has forked has its parent elsewhere once it is gone. */
static void await_exit(pid_t pid)
{
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
}

/* Should somebody kill the process in between before it can answer, what it may have forked waits for the gate in vain. */
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

pid_t reparented_fork(int *gate)
{
    int ends[2];
    *gate = -1;
    if (pair_above_standard(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), ends) < 0)
        return -1;
    pid_t between = fork();
    if (between == 0) {
        close(ends[0]);
        be_in_between(ends[1]);
        await_word(ends[1]);
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
    *gate = ends[0];
    return take_answer(ends[0]);
}

void reparented_fork_begin(int gate)
{
    send_int(gate, 1);
    close(gate);
}
