/* Descriptors sent beside a message. */
#include "base/ancillary.h"

#include <string.h>

#include "base/standard_fds.h"

/* The headers of older systems do not define it. */
#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83
#endif

void ancillary_put(struct msghdr *message, union ancillary *beside, const int *descriptors, int count)
{
    size_t size = (size_t)count * sizeof(int);
    memset(beside, 0, sizeof(*beside));
    message->msg_control = beside;
    message->msg_controllen = CMSG_SPACE(size);
    beside->header = (struct cmsghdr){CMSG_LEN(size), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&beside->header), descriptors, size);
}

void ancillary_expect(struct msghdr *message, union ancillary *beside)
{
    memset(beside, 0, sizeof(*beside));
    message->msg_control = beside;
    message->msg_controllen = sizeof(*beside);
}

/* The kernel never writes more than the room holds, even when it reports MSG_CTRUNC. */
int ancillary_take(struct msghdr *message, int descriptors[ANCILLARY_MAX])
{
    int count = 0;
    for (int i = 0; i < ANCILLARY_MAX; i++)
        descriptors[i] = -1;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header != NULL;
         header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t size = header->cmsg_len - CMSG_LEN(0);
        for (size_t at = 0; at + sizeof(int) <= size && count < ANCILLARY_MAX; at += sizeof(int)) {
            memcpy(&descriptors[count], CMSG_DATA(header) + at, sizeof(int));
            descriptors[count] = fd_above_standard(descriptors[count]);
            count++;
        }
    }
    return count;
}

void ancillary_refuse(int fd)
{
    const int no = 0;
    setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &no, sizeof(no));
}
