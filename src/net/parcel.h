/*
 * A parcel: a connection on its way from one worker to another, through a SOCK_SEQPACKET socket: its descriptor, who the client is, and
 * what was received of it and not answered yet. Either bytes of the next request, few or none; or a request that is whole, its
 * body decoded (in the parcel, or a spool whose descriptor goes along), and the bytes behind it.
 */
#ifndef NET_PARCEL_H
#define NET_PARCEL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/scoreboard.h"
#include "base/slice.h"
#include "http/endpoint.h"

/* Of all bytes in one parcel; a connection that has more stays where it is. */
enum { PARCEL_MAX = 64 * 1024 };
/* The pieces they may be in when a parcel is packed: request line, its end, header section, body; bytes behind it. */
enum { PARCEL_PIECES = 5 };

struct parcel {
    int fd;
    enum handover_reason reason;
    unsigned address; /* that it was accepted on: its index */
    struct peer_endpoint peer;
    bool asked;        /* a request has begun on it, once */
    bool awaits_proxy; /* the header of --proxy-protocol has not come, or not all of it */
    bool unnamed;      /* see net/conn.h */
    uint64_t started_ns,
        ready_ns;      /* of a whole request: see net/exchange.h (base/clock.h: the same in all processes) */
    size_t head, body; /* bytes of a whole request's head and body; head is 0 when there is none */
    uint64_t spool_size; /* of its body, when that is in a spool */
    int spool;           /* or -1 */
    size_t rest;         /* bytes behind it, or all there are */
};

/* Sends the parcel and the `head + body + rest` bytes in the pieces. The descriptors are copied: the caller's are its own to close. 0, or
 * -1 and errno: EAGAIN when nobody takes them at the moment, EMSGSIZE when there are too many bytes. */
int parcel_send(int socket, const struct parcel *parcel, const struct iovec *pieces, int count);

/* 1: the parcel, its bytes in `bytes` (PARCEL_MAX of them), its descriptors ours; 0: there is none
 * now; -1 and errno: EMFILE or ENOMEM when there is one, and no room for its descriptors: it has
 * not been taken; EBADMSG when it is lost; EPROTO when it was none of ours, which is dropped with
 * its descriptors. */
int parcel_receive(int socket, struct parcel *parcel, char *bytes);
/* There is room for the descriptors of one; or errno. */
bool parcel_has_room(int socket);

#endif
