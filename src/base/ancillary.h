/*
 * Descriptors beside a message of a Unix-domain socket (SCM_RIGHTS, unix(7)).
 *
 * The sender may be the application's code. This module alone checks the number of descriptors and
 * the type of the control data. No state; any thread.
 */
#ifndef BASE_ANCILLARY_H
#define BASE_ANCILLARY_H

#include <sys/socket.h>

/* The largest number of descriptors in one message of ours. */
enum { ANCILLARY_MAX = 2 };

/* Aligned room for these descriptors. */
union ancillary {
    struct cmsghdr header;
    char room[CMSG_SPACE(ANCILLARY_MAX * sizeof(int))];
};

/* Call before sendmsg: attaches `count` descriptors, at most ANCILLARY_MAX, to the message. The
 * caller keeps `beside` until sendmsg has returned. */
void ancillary_put(struct msghdr *message, union ancillary *beside, const int *descriptors, int count);
/* Call before recvmsg: makes room for descriptors. */
void ancillary_expect(struct msghdr *message, union ancillary *beside);
/* Call after recvmsg: stores the received descriptors, which the caller then owns, and -1 in the
 * other places. Returns their number. */
int ancillary_take(struct msghdr *message, int descriptors[ANCILLARY_MAX]);

/* Forbids senders to attach descriptors to messages for this end (SO_PASSRIGHTS, Linux 6.16). On
 * older kernels, a recv without room for descriptors closes them. */
void ancillary_refuse(int fd);

#endif
