/* What the master and a zygote tell each other. */
#include "proc/cord.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 2 };

/* Room for the descriptors beside an order. */
union beside {
    struct cmsghdr header;
    char room[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
};

int cord_open(struct cord *cord)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    *cord = (struct cord){fds[0], fds[1]};
    return 0;
}

int cord_send_order(int fd, const struct cord_order *order)
{
    const int descriptors[DESCRIPTORS] = {order->mailbox, order->last_words};
    struct iovec vector = {(void *)order, sizeof(*order)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union beside beside;
    memset(&beside, 0, sizeof(beside));
    if (order->kind == CORD_FORK) {
        message.msg_control = &beside;
        message.msg_controllen = sizeof(beside);
        beside.header = (struct cmsghdr){CMSG_LEN(sizeof(descriptors)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(&beside.header), descriptors, sizeof(descriptors));
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*order) ? 0 : -1;
}

/* -1 for those that have not come: the process had no room for them. */
static void take_descriptors(struct msghdr *message, struct cord_order *order)
{
    int descriptors[DESCRIPTORS] = {-1, -1};
    const struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    order->mailbox = descriptors[0];
    order->last_words = descriptors[1];
}

int cord_await_order(int fd, struct cord_order *order)
{
    union beside beside;
    struct iovec vector = {order, sizeof(*order)};
    struct msghdr message = {
        .msg_iov = &vector,
        .msg_iovlen = 1,
        .msg_control = &beside,
        .msg_controllen = sizeof(beside),
    };
    ssize_t n;
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(*order))
        return -1;
    take_descriptors(&message, order);
    return 0;
}

int cord_send_news(int fd, const struct cord_news *news)
{
    return send(fd, news, sizeof(*news), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

/* Without room for descriptors, so that nobody can fill the master with them. */
int cord_receive_news(int fd, struct cord_news *news)
{
    ssize_t n;
    do
        n = recv(fd, news, sizeof(*news), MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n == sizeof(*news))
        return 1;
    return n < 0 && errno == EAGAIN ? 0 : -1;
}
