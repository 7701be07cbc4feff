/*
 * The file of a unix socket: made by bind(2), given away, removed, by way of base/place.h. An address knows which file it has made; what has
 * its name by now may be another server's.
 */
#ifndef NET_SOCKET_FILE_H
#define NET_SOCKET_FILE_H

#include <stdbool.h>

#include "net/address.h"

/* All of these are for addresses with a path. */

/* bind(2), noting which file was made. 0, or -1 and errno. */
int socket_file_bind(struct address *address, int fd);
/* Removes a file whose server is gone. One that somebody serves, or another kind of file, is not ours to remove. */
void socket_file_remove_stale(const struct address *address);
/* Removes the file that was made here. */
void socket_file_remove(const struct address *address);
/* The file that was made here has its name still. */
bool socket_file_is_own(const struct address *address);
/* A file that is no socket has the name. */
bool socket_file_is_other(const struct address *address);

#endif
