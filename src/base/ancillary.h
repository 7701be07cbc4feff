/*
 * Descriptors beside a message of a unix socket (SCM_RIGHTS, unix(7)).
 *
 * The sender may be the application's code. Their number, and whether the control data is
 * descriptors at all, is checked here and nowhere else.
 */
#ifndef BASE_ANCILLARY_H
#define BASE_ANCILLARY_H

#include <sys/socket.h>

/* The most that one message of ours has. */
enum { ANCILLARY_MAX = 2 };

/* Room for them, aligned. */
union ancillary {
    struct cmsghdr header;
    char room[CMSG_SPACE(ANCILLARY_MAX * sizeof(int))];
};

/* Before sendmsg: `count` descriptors, at most ANCILLARY_MAX, go with the message. The caller keeps
 * `beside` until sendmsg has returned. */
void ancillary_put(struct msghdr *message, union ancillary *beside, const int *descriptors, int count);
/* Before recvmsg: descriptors may come. */
void ancillary_expect(struct msghdr *message, union ancillary *beside);
/* After recvmsg: the descriptors that came, which are the caller's; -1 in the other places. Returns
 * how many came. */
int ancillary_take(struct msghdr *message, int descriptors[ANCILLARY_MAX]);

/* Senders cannot attach descriptors to messages for this end (SO_PASSRIGHTS, Linux 6.16). With
 * older kernels the recv that has no room for them closes them. */
void ancillary_refuse(int fd);

#endif
