/*
 * An address to listen on, and its listening sockets.
 *
 *   HOST:PORT  :PORT  [V6]:PORT  unix:PATH  unix:@ABSTRACT  fd://N
 *
 * The master makes the sockets before the first fork and keeps them for its whole life. TCP has one
 * SO_REUSEPORT socket per worker slot: a worker that dies leaves its accept queue to its successor.
 * Other addresses have one socket, which all slots share.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "http/endpoint.h"

struct address {
    const char *option; /* the option that gave it, for messages */
    char *text;         /* as the user wrote it */
    /* "http://127.0.0.1:8000", "unix:/run/app.sock": set when it listens, with the port that
         * the kernel chose */
    char *url;
    int family;
    struct sockaddr_storage socket_address;
    socklen_t size;
    struct local_endpoint local;
    int inherited; /* N of fd://N, or -1 */
    char *path;    /* of a unix socket in the file system, for address_close to remove; else NULL */
    int *sockets;  /* one per slot; the same one for all when `shared` */
    unsigned slots;
    bool shared;
    bool owns_path; /* this address made the socket file, whose device and inode are: */
    dev_t path_device;
    ino_t path_inode;
    /* After address_renew: the socket whose file is gone, and that file. Clients may wait in its
     * queue. 0: there is none. */
    int previous;
    dev_t previous_device;
    ino_t previous_inode;
};

/* 0, or -1 with one sentence in `message`. errno is EINVAL when `text` is not of a form above. It
 * has another value when the host is unknown, the path too long, or the descriptor no listening
 * socket. */
int address_parse(struct address *address, const char *option, const char *text, char *message,
                  size_t message_size);

/* Makes a relative path of a unix socket one in that directory. */
void address_resolve_path(struct address *address, const char *directory);

/* Binds and listens. Replaces a socket file that has no server, and never another one. 0, or -1
 * with one sentence in `message`. */
int address_listen(struct address *address, unsigned slots, int backlog, char *message, size_t message_size);

/* After a failed bind(2), with its errno: writes the sentence. Returns -1, with the same errno. */
int address_explain(const struct address *address, char *message, size_t message_size);

/* Afterwards: adds sockets for slots that come later. Where slots have sockets of their own, these
 * are bound, and listen only after address_listen_more. 0, or -1 and errno. */
int address_add_spares(struct address *address, unsigned spares);
int address_listen_more(const struct address *address, unsigned slot, int backlog); /* 0, or -1 and errno */

/* In the place of all these: takes sockets that another process has made for the same text. There
 * is one per slot, or one for all (`count` 1). The caller says who owns the socket file. 0, or -1:
 * the text is no address. */
int address_adopt(struct address *address, const char *option, const char *text, const int *sockets,
                  unsigned count, unsigned slots);

/* When the file of a socket that we made is gone, no client reaches the socket. This binds a socket
 * in its place, which listens and belongs to the user and the group, as in address_give. The old
 * socket stays open as `previous`, until the next call. 1; 0 when the file is there; -1 with one
 * sentence in `message`, and nothing has changed. */
int address_renew(struct address *address, int backlog, uid_t user, gid_t group, char *message,
                  size_t message_size);
/* Takes the last renewal back and removes the file it made. Does nothing without a previous
 * socket. */
void address_revert(struct address *address);
/* Closes the previous socket, if there is one. */
void address_close_previous(struct address *address);

/* Gives the socket file, if we made it, to a user and a group; -1 leaves either unchanged. 0, or -1
 * and errno. */
int address_give(const struct address *address, uid_t user, gid_t group);

/* Closes the sockets. Removes the socket file if we made it and `unlink_path` is set. */
void address_close(struct address *address, bool unlink_path);

#endif
