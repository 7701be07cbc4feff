/* A parcel: a connection on its way from one worker to another. */
#include "net/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The socket, and a spool. */
enum { DESCRIPTORS = 2 };

union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
};

static void add_descriptors(struct msghdr *message, union control *control, const struct parcel *parcel)
{
    const int descriptors[DESCRIPTORS] = {parcel->fd, parcel->spool};
    size_t size = (parcel->spool >= 0 ? 2 : 1) * sizeof(int);
    message->msg_control = control->bytes;
    message->msg_controllen = CMSG_SPACE(size);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), descriptors, size);
}

int parcel_send(int socket, const struct parcel *parcel, const struct iovec *pieces, int count)
{
    struct iovec vectors[1 + PARCEL_PIECES] = {{(void *)parcel, sizeof(*parcel)}};
    union control control = {0};
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 1 + (size_t)count};
    if (parcel->head + parcel->body + parcel->rest > PARCEL_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    for (int i = 0; i < count; i++)
        vectors[1 + i] = pieces[i];
    add_descriptors(&message, &control, parcel);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

static void take_descriptors(struct msghdr *message, struct parcel *parcel)
{
    int descriptors[DESCRIPTORS] = {-1, -1};
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    if (header != NULL && header->cmsg_type == SCM_RIGHTS)
        memcpy(descriptors, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    parcel->fd = descriptors[0];
    parcel->spool = descriptors[1];
}

static bool is_whole(const struct parcel *parcel, const struct msghdr *message, size_t size)
{
    return (message->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 && size >= sizeof(*parcel) &&
           parcel->fd >= 0 && size - sizeof(*parcel) == parcel->head + parcel->body + parcel->rest;
}

bool parcel_has_room(int socket)
{
    int taken[DESCRIPTORS], count = 0;
    while (count < DESCRIPTORS && (taken[count] = fcntl(socket, F_DUPFD_CLOEXEC, 0)) >= 0)
        count++;
    for (int i = 0; i < count; i++)
        close(taken[i]);
    return count == DESCRIPTORS;
}

/* Nothing is taken, because of `error`: -1 with that, or 0 when there is nothing. */
static int leave(int socket, int error)
{
    char byte;
    if (recv(socket, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
        return 0;
    errno = error;
    return -1;
}

int parcel_receive(int socket, struct parcel *parcel, char *bytes)
{
    struct iovec vectors[] = {{parcel, sizeof(*parcel)}, {bytes, PARCEL_MAX}};
    union control control;
    struct msghdr message = {.msg_iov = vectors,
                             .msg_iovlen = 2,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n;
    /* The kernel would take it, and drop what has no room. */
    if (!parcel_has_room(socket))
        return leave(socket, errno);
    do
        n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    take_descriptors(&message, parcel);
    if (is_whole(parcel, &message, (size_t)n))
        return 1;
    /* Another thread had the last descriptors meanwhile. */
    if (parcel->fd >= 0)
        close(parcel->fd);
    if (parcel->spool >= 0)
        close(parcel->spool);
    errno = EBADMSG;
    return -1;
}
