/* The zygote channel between the master and a zygote. */
#include "preload/zygote_channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ancillary.h"

int zygote_channel_open(struct zygote_channel *channel)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    *channel = (struct zygote_channel){fds[0], fds[1]};
    ancillary_refuse(channel->master);
    return 0;
}

int zygote_channel_send_order(int fd, const struct zygote_order *order)
{
    const int descriptors[] = {order->channel, order->crash_pipe};
    struct iovec vector = {(void *)order, sizeof(*order)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    union ancillary beside;
    if (order->kind == ZYGOTE_ORDER_FORK)
        ancillary_put(&message, &beside, descriptors, 2);
    return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof(*order) ? 0 : -1;
}

/* Takes the descriptors of an order. One that the process had no room for is -1. */
static void take_descriptors(struct msghdr *message, struct zygote_order *order)
{
    int descriptors[ANCILLARY_MAX];
    ancillary_take(message, descriptors);
    order->channel = descriptors[0];
    order->crash_pipe = descriptors[1];
}

int zygote_channel_await_order(int fd, struct zygote_order *order)
{
    union ancillary beside;
    struct iovec vector = {order, sizeof(*order)};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t n;
    ancillary_expect(&message, &beside);
    do
        n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(*order))
        return -1;
    take_descriptors(&message, order);
    return 0;
}

int zygote_channel_send_news(int fd, const struct zygote_news *news)
{
    return send(fd, news, sizeof(*news), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

/* True at the end of the channel, which reads as an empty message does. */
static bool has_ended(int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLRDHUP};
    return poll(&look, 1, 0) != 0;
}

/* Receives no descriptors, so that no process can fill the master with them. */
int zygote_channel_receive_news(int fd, struct zygote_news *news)
{
    struct zygote_news heard = {0};
    ssize_t n;
    do
        n = recv(fd, &heard, sizeof(heard), MSG_DONTWAIT | MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    if (n == 0 && has_ended(fd))
        return -1;
    *news = n == sizeof(heard) ? heard : (struct zygote_news){.kind = ZYGOTE_NEWS_NOISE};
    return 1;
}
