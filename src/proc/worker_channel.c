/* The worker channel of a seat. */
#include "proc/worker_channel.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#include "base/ancillary.h"

struct message {
    enum message_kind kind;
    pid_t worker;
};

int worker_channel_open(struct worker_channel *channel)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    *channel = (struct worker_channel){fds[0], fds[1]};
    ancillary_refuse(channel->master);
    return 0;
}

void worker_channel_close(struct worker_channel *channel)
{
    close(channel->master);
    close(channel->worker);
}

int worker_channel_send(int fd, enum message_kind kind, pid_t worker)
{
    struct message message = {kind, worker};
    return send(fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message) ? 0 : -1;
}

int worker_channel_receive(int fd, enum message_kind *kind, pid_t *worker)
{
    struct message message;
    ssize_t n;
    do
        n = recv(fd, &message, sizeof(message), MSG_TRUNC | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(message))
        return n < 0 && errno == EAGAIN ? 0 : -1;
    *kind = message.kind;
    *worker = message.worker;
    return 1;
}

/* A worker notices a master that is gone when it reads messages. */
void worker_channel_say_ready(int fd)
{
    if (worker_channel_send(fd, MESSAGE_READY, getpid()) == 0 || errno == EPIPE || errno == ECONNRESET)
        return;
    log_restore();
    log_critical("the master cannot be told that this worker is ready: %s", strerror(errno));
    _exit(1);
}
