/*
 * A connection: a socket, its event, and the output that is not sent yet. Its protocol says what
 * the bytes mean.
 *
 * The event is edge-triggered for reading, writing and the peer's end. It is armed once, so that no
 * request costs an epoll_ctl. Arming comes after the first answer, which may end the connection; or
 * before it, when the answer has to be waited for. `readable` remembers an edge until the socket is
 * drained.
 *
 * A short read drains the bytes of a socket. But the same edge may have told of a reset behind
 * them. libevent reports a reset as reading and writing, and no edge comes again. A protocol that
 * has used the bytes, and waits for the peer, calls conn_look_again.
 *
 * No callback frees a connection: conn_close marks it, and loop_turn frees it.
 *
 * Threads: a connection belongs to the thread that runs the loop. The thread that has the exchange
 * may call conn_send, conn_send_file, conn_is_full and conn_wait, until conn_take_away. Meanwhile
 * the loop only remembers edges and drains the output. It sends nothing, except in exchange_ask and
 * exchange_preempt, which keep that thread from sending. While the exchange lasts, any thread may
 * read `broken`, and may call conn_peer with the send claim (net/send_claim.h).
 */
#ifndef NET_CONN_H
#define NET_CONN_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/slice.h"
#include "http/endpoint.h"
#include "net/loop.h"
#include "net/output.h"
#include "net/timers.h"

struct conn;
struct exchange;
struct parcel;

/* The kernel's knowledge of the peer. */
enum conn_peer {
    PEER_THERE,
    PEER_ENDED, /* the peer sends no more; it may still read */
    PEER_GONE,  /* a reset; or the other end of a Unix-domain socket is closed */
};

/* This table carries calls upward: to what a connection's bytes mean. struct handler is the other
 * one. */
struct protocol {
    const char *name;
    size_t size; /* of the struct, which begins with a struct conn */
    void (*open)(struct conn *conn);
    /* Conn->readable was set, or bytes were left when it was deferred. */
    void (*readable)(struct conn *conn);
    /* Some output was sent; conn_is_drained tells whether all of it. */
    void (*drained)(struct conn *conn);
    void (*timed_out)(struct conn *conn, enum timeout_class class);
    /* The connection idles or reads a head, and the worker is stopping. */
    void (*drain)(struct conn *conn);
    /* Room is needed, and this connection is the oldest of TIMEOUT_KEEP_ALIVE or TIMEOUT_SILENT.
     * True: it was idle or silent, and is closed. False: it was not, and has left that queue. */
    bool (*give_way)(struct conn *conn);
    struct exchange *(*exchange)(
        const struct conn *conn);                /* the request whose answer is not complete, or NULL */
    bool (*unfinished)(const struct conn *conn); /* a request, or its answer, is under way */
    /* For another worker (net/handover.h): describes the input that was received and not answered.
     * It fills at most PARCEL_PIECES pieces, which belong to the connection. Returns their number,
     * or -1 when the connection cannot move now. */
    int (*pack)(struct conn *conn, struct parcel *parcel, struct iovec *pieces);
    void (*moved)(struct conn *conn); /* another worker has it: releases what belongs to it here */
    /* In the other worker, on a connection that has just been opened: restores what `pack`
     * described. */
    void (*unpack)(struct conn *conn, const struct parcel *parcel, const char *bytes);
    void (*free)(struct conn *conn); /* releases what the protocol holds; the socket is still open */
};

struct conn {
    struct event event;
    struct loop *loop;
    const struct protocol *protocol;
    const struct local_endpoint *local;
    struct timeout timeout;
    struct conn *next_deferred;
    struct conn *next_open, **open_link; /* in the list loop->open */
    _Atomic(struct output *) output;     /* NULL while the socket accepts everything */
    struct exchange *sending;            /* its complete answer waits in `output`: see exchange_sent */
    /* Bytes given to conn_send that were neither sent nor queued: the connection broke. */
    uint64_t lost;
    int fd;             /* -1: closed, and kept because of pins */
    unsigned pins;      /* exchanges whose threads may still look at it: see conn_take_away */
    bool watched : 1;   /* the event is added */
    bool placed : 1;    /* it stays with this worker, however busy the others are */
    bool readable : 1;  /* an edge has come, and the socket was not drained since */
    bool ended : 1;     /* the peer will send no more */
    bool deferring : 1; /* it is on loop->deferred */
    bool closing : 1;   /* it is freed when its turn on that list comes */
    bool arrived : 1;   /* it came from another worker */
    bool given : 1;     /* another worker has it: only the descriptor is ours */
    bool judged : 1;    /* `trusted` is known: */
    bool trusted : 1;   /* the peer is in --forwarded-allow-ips */
    /* A proxy has not named its client: `peer` is the proxy, or empty, and not trusted. */
    bool unnamed : 1;
    /* The connection ends with a reset: the answer is not whole, and only a reset tells the
     * peer. */
    bool resetting : 1;
    atomic_bool broken; /* nothing more can be sent */
    struct peer_endpoint peer;
};

/* Takes over the non-blocking socket, and reads from it at once. */
void conn_accept(struct loop *loop, const struct protocol *protocol, int fd,
                 const struct local_endpoint *local, const struct peer_endpoint *peer);

/* The same for a connection that another worker has accepted, with its parcel and bytes. Takes over
 * the parcel's spool. */
void conn_adopt(struct loop *loop, const struct protocol *protocol, const struct local_endpoint *local,
                const struct parcel *parcel, const char *bytes);

/* Arms the event unless it is armed. An edge comes for things that happened before, too. */
void conn_watch(struct conn *conn);
/* Costs a system call. */
enum conn_peer conn_peer(const struct conn *conn);
bool conn_is_unix(const struct conn *conn); /* costs a system call */

/* Whether the peer may speak for others. The first call finds out. */
bool conn_is_trusted(struct conn *conn);

/* The bytes that the socket has, in loop->scratch. Empty when there are none now, or there will be
 * none (conn->ended, conn->broken). */
struct slice conn_receive(struct conn *conn);
/* The protocol has used the bytes and waits for the peer. The socket is read once more, for a reset
 * behind the bytes. */
void conn_look_again(struct conn *conn);

/* Sends. Output that the socket does not accept is copied to conn->output. The vectors are invalid
 * afterwards. 0, or -1 when the connection is broken: then the caller closes it. */
int conn_send(struct conn *conn, struct iovec *vectors, int count);
/* Sends a part of a regular file, the last part of an answer. Output that the socket does not
 * accept waits with a descriptor of its own. Without one, at most a block is copied. *offset and
 * *size become the part that the connection has not taken. The caller calls again when there is
 * room (conn_is_full). */
int conn_send_file(struct conn *conn, int file, off_t *offset, uint64_t *size);
bool conn_is_full(const struct conn *conn); /* the queued output has reached all limits */
/* A part of it is in memory, because no spool could take it. */
bool conn_is_refused(const struct conn *conn);
bool conn_is_drained(const struct conn *conn);
/* Bytes given to conn_send and conn_send_file that were not sent: they are queued, or lost. For the
 * thread that runs the loop, or that has the connection. */
uint64_t conn_unsent(const struct conn *conn);
/* Everything was sent: frees the memory of the output. */
void conn_trim(struct conn *conn);
/* Sends as much queued output as the socket accepts, and tells the protocol. */
void conn_drain(struct conn *conn);
/*
 * Blocks until the client has taken enough for more output. It ends after --write-timeout, and when
 * the loop takes the connection away (conn_take_away). 0, or -1: nothing more can be sent.
 *
 * There are two steps: in the first the thread surely has the connection, in the second perhaps
 * not. The first returns false when there is nothing to wait for.
 */
struct conn_wait {
    struct output *output; /* holds a reference */
    int fd;
};
bool conn_prepare_wait(struct conn *conn, struct conn_wait *wait);
int conn_wait(struct conn *conn, const struct conn_wait *wait);

/* The loop looks at the connection before the next poll, outside of all calls that use it. */
void conn_defer(struct conn *conn);
void conn_close(struct conn *conn); /* the loop frees it in the next loop_turn */
/* Closes the write side; input goes on. This is the first half of a lingering close (RFC 9112
 * 9.6). */
void conn_shut(struct conn *conn);

/* The process is about to end, perhaps while threads use the connection. Output that was sent still
 * reaches the client, and then the end of the stream. A reset comes instead where only that tells
 * that the answer is not whole. The fate of the answer is recorded. */
void conn_abandon(struct conn *conn); /* the descriptor stays */
void conn_hang_up(struct conn *conn); /* closes the socket, and touches nothing else; for loop_free */

/* The exchange of a thread was answered without it, and the connection goes on without the thread.
 * A thread in conn_wait gives up. The connection's memory lives until conn_unpin, because the
 * thread may still read it. */
void conn_take_away(struct conn *conn);
void conn_unpin(struct conn *conn);

/* While a thread has the connection: the peer sees at once that the answer is not whole. Nothing
 * more can be sent. */
void conn_cut(struct conn *conn);

/* loop_turn calls this for each deferred connection. */
void conn_run_deferred(struct conn *conn);
/* The connection that `timeout` belongs to. */
struct conn *conn_of_timeout(struct timeout *timeout);

#endif
