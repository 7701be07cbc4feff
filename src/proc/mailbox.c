/* The mailbox of a worker's seat. */
#include "proc/mailbox.h"

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

int mailbox_open(struct mailbox *mailbox)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    *mailbox = (struct mailbox){fds[0], fds[1]};
    ancillary_refuse(mailbox->master);
    return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
    close(mailbox->master);
    close(mailbox->worker);
}

int mailbox_send(int fd, enum message_kind kind, pid_t worker)
{
    struct message message = {kind, worker};
    return send(fd, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(message) ? 0 : -1;
}

int mailbox_receive(int fd, enum message_kind *kind, pid_t *worker)
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

/* A master that is gone is noticed when mail is read. */
void mailbox_say_ready(int fd)
{
    if (mailbox_send(fd, MESSAGE_READY, getpid()) == 0 || errno == EPIPE || errno == ECONNRESET)
        return;
    log_restore();
    log_critical("the master cannot be told that this worker is ready: %s", strerror(errno));
    _exit(1);
}
