/*
 * The sockets that this process has come to have: what a fork would make two processes share.
 */
#ifndef PRELOAD_SOCKETS_H
#define PRELOAD_SOCKETS_H

#include <stddef.h>
#include <sys/types.h>

#include "options/listing.h"

struct sockets {
    ino_t *inodes; /* what the kernel knows each by, however many descriptors lead to it */
    size_t count;
};

/* Those that are open now. */
void sockets_note(struct sockets *sockets);
void sockets_fini(struct sockets *sockets);

/* Adds those that are open now and were not then, each by its peer, or as what it listens to. */
void sockets_list_new(const struct sockets *then, struct listing *listing);

#endif
