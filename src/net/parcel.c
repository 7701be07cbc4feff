/* A parcel: a connection on its way from one worker to another. */
#include "net/parcel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ancillary.h"
#include "base/clock.h"

int parcel_send(int socket, const struct parcel *parcel, const struct iovec *pieces, int count)
{
    struct iovec vectors[1 + PARCEL_PIECES] = {{(void *)parcel, sizeof(*parcel)}};
    const int descriptors[] = {parcel->fd, parcel->spool};
    union ancillary beside;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 1 + (size_t)count};
    if (parcel->head + parcel->body + parcel->rest > PARCEL_MAX) {
        errno = EMSGSIZE;
        return -1;
    }
    for (int i = 0; i < count; i++)
        vectors[1 + i] = pieces[i];
    ancillary_put(&message, &beside, descriptors, parcel->spool >= 0 ? 2 : 1);
    return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -1 : 0;
}

/* A bool other than 0 and 1 must not be read as a bool. */
static bool is_bool(const bool *value)
{
    unsigned char byte;
    memcpy(&byte, value, sizeof(byte));
    return byte <= 1;
}

static bool is_text(const char *text, size_t room)
{
    return memchr(text, '\0', room) != NULL;
}

/* The bytes behind the parcel have the sizes that it names. */
static bool has_its_sizes(const struct parcel *parcel, size_t bytes)
{
    bool small = parcel->head <= PARCEL_MAX && parcel->body <= PARCEL_MAX && parcel->rest <= PARCEL_MAX;
    return small && parcel->head + parcel->body + parcel->rest == bytes &&
           (parcel->head > 0 || parcel->body == 0);
}

static bool has_its_fields(const struct parcel *parcel)
{
    uint64_t now = clock_ns();
    return parcel->reason < HANDOVER_REASONS && is_bool(&parcel->asked) && is_bool(&parcel->awaits_proxy) &&
           is_bool(&parcel->unnamed) && is_text(parcel->peer.address, sizeof(parcel->peer.address)) &&
           is_text(parcel->peer.port, sizeof(parcel->peer.port)) && parcel->started_ns <= now &&
           parcel->ready_ns <= now;
}

/* A socket of a stream, on which no call blocks. */
static bool is_connection(int fd)
{
    int type;
    socklen_t size = sizeof(type);
    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

/* The spool holds the body of a whole request. */
static bool is_spool(const struct parcel *parcel, int fd)
{
    struct stat status;
    return parcel->head > 0 && parcel->body == 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
           (uint64_t)status.st_size >= parcel->spool_size;
}

static bool has_its_descriptors(const struct parcel *parcel, const int *descriptors, int count)
{
    if (parcel->spool < 0)
        return count == 1 && parcel->spool_size == 0 && is_connection(descriptors[0]);
    return count == 2 && is_connection(descriptors[0]) && is_spool(parcel, descriptors[1]);
}

/* Sibling workers send parcels, and the application runs in them: anything may come. 0, or an
 * error. */
static int check(const struct parcel *parcel, const struct msghdr *message, size_t size,
                 const int *descriptors, int count)
{
    bool whole = (message->msg_flags & MSG_TRUNC) == 0 && size >= sizeof(*parcel);
    if (!whole || !has_its_sizes(parcel, size - sizeof(*parcel)) || !has_its_fields(parcel))
        return EPROTO;
    if ((message->msg_flags & MSG_CTRUNC) != 0 && count < (parcel->spool < 0 ? 1 : 2))
        return EBADMSG; /* another thread has taken the last descriptors meanwhile */
    if ((message->msg_flags & MSG_CTRUNC) != 0 || !has_its_descriptors(parcel, descriptors, count))
        return EPROTO;
    return 0;
}

bool parcel_has_room(int socket)
{
    int taken[ANCILLARY_MAX], count = 0;
    while (count < ANCILLARY_MAX && (taken[count] = fcntl(socket, F_DUPFD_CLOEXEC, 3)) >= 0)
        count++;
    for (int i = 0; i < count; i++)
        close(taken[i]);
    return count == ANCILLARY_MAX;
}

/* Takes nothing because of `error`: -1 with it, or 0 when there is no parcel. */
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
    union ancillary beside;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = 2};
    int descriptors[ANCILLARY_MAX];
    ssize_t n;
    ancillary_expect(&message, &beside);
    /* The kernel would take the parcel, and drop descriptors without room. */
    if (!parcel_has_room(socket))
        return leave(socket, errno);
    do
        n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? 0 : -1;
    int count = ancillary_take(&message, descriptors);
    int error = check(parcel, &message, (size_t)n, descriptors, count);
    parcel->fd = descriptors[0];
    parcel->spool = descriptors[1];
    if (error == 0)
        return 1;
    for (int i = 0; i < count; i++)
        close(descriptors[i]);
    errno = error;
    return -1;
}
