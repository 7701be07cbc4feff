/*
 * An address to listen on, and its listening sockets.
 *
 *   HOST:PORT  :PORT  [V6]:PORT  unix:PATH  unix:@ABSTRACT  fd://N
 *
 * The master makes the sockets before the first fork and keeps them for its whole life: for TCP one SO_REUSEPORT socket per
 * worker slot, so that a worker that dies leaves its accept queue to its successor; for the others one that all slots share.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "http/endpoint.h"

struct address {
    const char *option; /* which it was given with, for messages */
    char *text;         /* as the user wrote it */
    char *
        url; /* "http://127.0.0.1:8000", "unix:/run/app.sock": once it listens, with the port that the kernel chose */
    int family;
    struct sockaddr_storage socket_address;
    socklen_t size;
    struct local_endpoint local;
    int inherited; /* fd://N, or -1 */
    char *path;    /* of a unix socket in the file system, to be removed by address_close; else NULL */
    int *sockets;  /* one per slot; the same one for all when `shared` */
    unsigned slots;
    bool shared;
    bool owns_path; /* we made the socket file, which is: */
    dev_t path_device;
    ino_t path_inode;
    /* After address_renew: the socket whose file is gone, and which file that was. Clients may wait in its queue. 0: none. */
    int previous;
    dev_t previous_device;
    ino_t previous_inode;
};

/* 0, or -1 with one sentence in `message`: errno is EINVAL when `text` is not of a form above, anything else when the host is
 * unknown, the path too long or the descriptor no listening socket. */
int address_parse(struct address *address, const char *option, const char *text, char *message,
                  size_t message_size);

/* The path of a unix socket, where it is relative, is one in that directory from now on. */
void address_resolve_path(struct address *address, const char *directory);

/* Binds and listens. 0, or -1 when the address is in use, not permitted, ...: one sentence in `message`. A socket file that
 * nobody listens on is replaced; a living one never. */
int address_listen(struct address *address, unsigned slots, int backlog, char *message, size_t message_size);

/* After a bind(2) that failed, errno is why: the sentence. -1, with the same errno. */
int address_explain(const struct address *address, char *message, size_t message_size);

/* Afterwards: so many sockets more, for slots that come later. Where slots have sockets of their own they are bound, but do not listen
 * before address_listen_more. 0, or -1 and errno. */
int address_add_spares(struct address *address, unsigned spares);
int address_listen_more(const struct address *address, unsigned slot, int backlog); /* 0, or -1 and errno */

/* In the place of all these: sockets that another has made for the same text are taken, one per slot, or (`count` 1) one for all. Who
 * owns the socket file is for the caller to say. 0, or -1: the text is none. */
int address_adopt(struct address *address, const char *option, const char *text, const int *sockets,
                  unsigned count, unsigned slots);

/* When the file of a socket that we made is gone, no client reaches it: binds a new one in its place, which listens and belongs to the
 * user and the group, as address_give has it. The old one stays open as `previous`, until the next call of this function. 1; or 0 when
 * nothing was to be done; or -1 with one sentence in `message`, and nothing has changed. */
int address_renew(struct address *address, int backlog, uid_t user, gid_t group, char *message,
                  size_t message_size);
/* Takes the last renewal back: the new file is removed. Nothing happens without a previous socket. */
void address_revert(struct address *address);
/* The previous socket, if there is one, is closed. */
void address_close_previous(struct address *address);

/* Gives the socket file, if we made it, to a user and a group; -1 leaves either as it is. 0, or -1 and errno. */
int address_give(const struct address *address, uid_t user, gid_t group);

/* Closes the sockets; removes the socket file if we made it and `unlink_path`. */
void address_close(struct address *address, bool unlink_path);

#endif
