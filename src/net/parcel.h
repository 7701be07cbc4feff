/*
 * A parcel: a connection on its way from one worker to another, through a SOCK_SEQPACKET socket. It
 * has the descriptor, the client's address, and the input that was received and not answered. That
 * input is some bytes of the next request, or none. Or it is a whole request with its decoded body,
 * and the bytes behind it. The body is in the parcel, or in a spool whose descriptor goes with it.
 *
 * Belongs to the thread that runs the loop.
 */
#ifndef NET_PARCEL_H
#define NET_PARCEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/scoreboard.h"
#include "base/slice.h"
#include "http/endpoint.h"

/* The most bytes of one parcel. A connection with more stays in its worker. */
enum { PARCEL_MAX = 64 * 1024 };
/* The most pieces when a parcel is packed: request line, its end, header section, body, and the
 * bytes behind it. */
enum { PARCEL_PIECES = 5 };

struct parcel {
    int fd;
    enum handover_reason reason;
    unsigned address; /* index of the address that accepted it */
    struct peer_endpoint peer;
    bool asked;        /* a request has begun on it before */
    bool awaits_proxy; /* the header of --proxy-protocol has not come as a whole */
    bool unnamed;      /* see net/conn.h */
    uint64_t started_ns,
        /* Times of a whole request: see net/exchange.h; clock_ns() is the same in all processes. */
        ready_ns;
    size_t head, body;   /* bytes of a whole request's head and body; head is 0 without one */
    uint64_t spool_size; /* of its body, when that is in a spool */
    int spool;           /* or -1 */
    size_t rest;         /* bytes behind it, or all bytes */
};

/* Sends the parcel and its `head + body + rest` bytes, which are in the pieces. The descriptors are
 * copied: the caller closes its own. 0, or -1 and errno: EAGAIN when the socket is full, EMSGSIZE
 * when there are too many bytes. */
int parcel_send(int socket, const struct parcel *parcel, const struct iovec *pieces, int count);

/* 1: a parcel, with its bytes in `bytes` (PARCEL_MAX of them); the caller owns its descriptors. 0:
 * there is none now. -1 and errno. EMFILE or ENOMEM: there is no room for the descriptors of a
 * parcel, which was not taken. EBADMSG: a parcel is lost. EPROTO: it was not sent by gateway, and
 * was dropped with its descriptors. */
int parcel_receive(int socket, struct parcel *parcel, char *bytes);
/* There is room for the descriptors of a parcel; else errno says why. */
bool parcel_has_room(int socket);

#endif
