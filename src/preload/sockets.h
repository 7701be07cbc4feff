/*
 * The sockets that this process has opened since a given moment: a fork would make two processes
 * share them. The caller owns the list.
 */
#ifndef PRELOAD_SOCKETS_H
#define PRELOAD_SOCKETS_H

#include <stddef.h>
#include <sys/types.h>

#include "options/listing.h"

struct sockets {
    ino_t *inodes; /* the kernel's numbers; several descriptors can lead to one */
    size_t count;
};

/* Notes the sockets that are open. */
void sockets_note(struct sockets *sockets);
void sockets_fini(struct sockets *sockets);

/* Adds the sockets that are open and were not then, each by its peer, or by the address it
 * listens on. */
void sockets_list_new(const struct sockets *then, struct listing *listing);

#endif
