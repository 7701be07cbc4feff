/*
 * A connection: a socket, its one event, and what was not sent yet. What the bytes mean is its protocol's business.
 *
 * The event is edge-triggered for reading, writing and the peer's end, armed once (when the first answer did not end the
 * connection anyway, or had to be waited for), so that no request costs an epoll_ctl. `readable` remembers an edge until the
 * socket is drained. A short read drains it of bytes, but the same edge may have told of a reset behind them: libevent tells a
 * reset as reading and writing, and no edge comes again. A protocol that still waits for the peer after it has used what came
 * calls conn_look_again.
 * No callback frees a connection: conn_close marks it, loop_turn frees it.
 *
 * Threads: all belongs to whoever runs the loop, except that the application's thread, which has the exchange, may call
 * conn_send, conn_send_file, conn_is_full and conn_wait, until conn_take_away; while it has it, the loop only remembers edges, drains the output, and
 * sends nothing but what exchange_ask and exchange_preempt do, each of which keeps that thread from sending meanwhile.
 * While the exchange lasts, `broken` is for any thread, and so is conn_peer behind the gate of the exchange (net/send_claim.h).
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

/* What the kernel knows of the other side. */
enum conn_peer {
    PEER_THERE,
    PEER_ENDED, /* it sends no more; whether it still reads, it has not said */
    PEER_GONE,  /* a reset; or nobody holds the other end of a unix-domain socket */
};

/* One of the two tables that carry calls upward: what a connection's bytes are. */
struct protocol {
    const char *name;
    size_t size; /* of the struct that begins with a struct conn */
    void (*open)(struct conn *conn);
    void (*readable)(struct conn *conn); /* conn->readable was set, or it was deferred with bytes left over */
    void (*drained)(struct conn *conn);  /* some output was taken; conn_is_drained tells whether all of it */
    void (*timed_out)(struct conn *conn, enum timeout_class class);
    void (*drain)(struct conn *conn); /* idle or reading a head, and the worker is stopping */
    /* The oldest in its time-out's queue, TIMEOUT_KEEP_ALIVE or TIMEOUT_SILENT, and room is needed. True: it was idle, or silent, and
     * is closed. False: it was not; it has left that queue. */
    bool (*give_way)(struct conn *conn);
    struct exchange *(*exchange)(
        const struct conn *conn); /* a request under way, whose answer is not complete; or NULL */
    bool (*unfinished)(const struct conn *conn); /* a request, or its answer, is on its way */
    /* For another worker (net/handover.h): describes what was received and not answered, in at most PARCEL_PIECES pieces that
     * belong to the connection; how many, or -1 when it cannot move now. */
    int (*pack)(struct conn *conn, struct parcel *parcel, struct iovec *pieces);
    void (*moved)(struct conn *conn); /* it is the other's: lets go of it */
    /* In the other worker, on a connection that has just been opened: what `pack` described. */
    void (*unpack)(struct conn *conn, const struct parcel *parcel, const char *bytes);
    void (*free)(struct conn *conn); /* lets go of what the protocol holds; the socket is still open */
};

struct conn {
    struct event event;
    struct loop *loop;
    const struct protocol *protocol;
    const struct local_endpoint *local;
    struct timeout timeout;
    struct conn *next_deferred;
    struct conn *next_open, **open_link; /* in loop->open */
    _Atomic(struct output *) output;     /* NULL while the socket takes everything */
    struct exchange *sending; /* its answer waits in `output`, and no more comes: see exchange_sent */
    uint64_t lost;            /* bytes given to conn_send that neither left nor wait: the connection broke */
    int fd;                   /* -1: closed, and kept for the sake of pins */
    unsigned pins;            /* exchanges whose threads may look at it still, see conn_take_away */
    bool watched : 1;         /* the event is added */
    bool placed : 1;          /* it stays with this worker, for all that the others have to do */
    bool readable : 1;        /* an edge was seen and the socket was not drained since */
    bool ended : 1;           /* the peer will send no more */
    bool deferring : 1;       /* on loop->deferred */
    bool closing : 1;         /* to be freed when deferred */
    bool arrived : 1;         /* from another worker */
    bool given : 1;           /* to another worker: only the descriptor is ours */
    bool judged : 1;          /* whether it is trusted, is known: */
    bool trusted : 1;         /* the peer is in --forwarded-allow-ips */
    bool unnamed : 1; /* a proxy has not said whose it is: `peer` is the proxy's, or empty, and not trusted */
    bool resetting : 1; /* by a reset, so that the peer can tell that the answer is not whole */
    atomic_bool broken; /* nothing can be sent any more */
    struct peer_endpoint peer;
};

/* Takes the non-blocking socket and reads from it at once. */
void conn_accept(struct loop *loop, const struct protocol *protocol, int fd,
                 const struct local_endpoint *local, const struct peer_endpoint *peer);

/* The same for one that another worker has accepted: `parcel` and its bytes. Its spool is taken over. */
void conn_adopt(struct loop *loop, const struct protocol *protocol, const struct local_endpoint *local,
                const struct parcel *parcel, const char *bytes);

/* Arms the event, unless it is: what happened before is an edge too. */
void conn_watch(struct conn *conn);
/* A system call. */
enum conn_peer conn_peer(const struct conn *conn);
bool conn_is_unix(const struct conn *conn); /* another one */

/* Whether the peer may speak for others. Found out when it is asked for the first time. */
bool conn_is_trusted(struct conn *conn);

/* What the socket has, in loop->scratch; empty when there is nothing (now, or no more: conn->ended, conn->broken). */
struct slice conn_receive(struct conn *conn);
/* The bytes received are used up, and the peer has to say more: the socket is read once more, for a reset behind them. */
void conn_look_again(struct conn *conn);

/* Sends; what the socket does not take is copied to conn->output. 0, or -1 when the connection is broken or its spool failed
 * (logged): then it is to be closed. The vectors are used up: not valid afterwards. */
int conn_send(struct conn *conn, struct iovec *vectors, int count);
/* The same for a stretch of a regular file, the last part of an answer. Of what the socket does not take, nothing is copied as long
 * as there is a descriptor for it; else no more than a block. *offset and *size become what was not given to the connection:
 * the caller calls again when there is room (conn_is_full). */
int conn_send_file(struct conn *conn, int file, off_t *offset, uint64_t *size);
bool conn_is_full(const struct conn *conn);    /* what waits has reached all limits */
bool conn_is_refused(const struct conn *conn); /* a part of it is in memory, as no spool could take it */
bool conn_is_drained(const struct conn *conn);
/* Bytes given to conn_send and its kin that have not left: they wait, or were refused. By whoever runs the loop, or has the
 * connection. */
uint64_t conn_unsent(const struct conn *conn);
/* All was sent: the memory for what waits is let go. */
void conn_trim(struct conn *conn);
/* Sends what the socket takes of what waits, and tells the protocol. */
void conn_drain(struct conn *conn);
/* Blocks until the client has taken enough for more output, at most --write-timeout, or the loop has taken the connection away
 * (conn_take_away). 0, or -1: nothing more can be sent. In two steps: the first one while the thread is sure to have the
 * connection, the second without that. False: there is nothing to wait for. */
struct conn_wait {
    struct output *output; /* held */
    int fd;
};
bool conn_prepare_wait(struct conn *conn, struct conn_wait *wait);
int conn_wait(struct conn *conn, const struct conn_wait *wait);

/* To be looked at before the next poll, outside of any call that uses the connection. */
void conn_defer(struct conn *conn);
void conn_close(struct conn *conn); /* settles; gone after the next loop_turn */
/* The write side is closed, input goes on: the first half of a lingering close (RFC 9112 9.6). */
void conn_shut(struct conn *conn);

/* The process is about to end, perhaps while threads use the connection. What was sent still reaches the client, and then the end
 * of the stream; or a reset, where only that tells that the answer is not whole. What was answered, or not, is recorded. */
void conn_abandon(struct conn *conn); /* the descriptor stays */
void conn_hang_up(
    struct conn *conn); /* the socket is closed; the rest of the connection is not touched. For loop_free */

/* A thread's exchange has been answered without it, and the connection goes on without the thread: one that waits gives up. The
 * memory of the connection lives until conn_unpin, for what that thread still reads. */
void conn_take_away(struct conn *conn);
void conn_unpin(struct conn *conn);

/* While a thread has it: the peer sees at once that the answer is not whole; nothing more can be sent. */
void conn_cut(struct conn *conn);

/* Called by loop_turn for each deferred connection. */
void conn_run_deferred(struct conn *conn);
/* The one whose timeout this is. */
struct conn *conn_of_timeout(struct timeout *timeout);

#endif
