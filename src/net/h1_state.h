/*
 * The inside of HTTP/1 on a connection, for h1.c and its neighbours. The states are drawn in h1.h.
 */
#ifndef NET_H1_STATE_H
#define NET_H1_STATE_H

#include "http/head.h"
#include "net/conn.h"
#include "net/exchange.h"
#include "net/parcel.h"
#include "net/pending.h"

enum h1_state {
    H1_PROXY,  /* before all else: the PROXY protocol's header, from a peer that has to send one */
    H1_NEW,    /* before the first request, of which nothing has come */
    H1_IDLE,   /* between requests */
    H1_HEAD,   /* reading a request head */
    H1_BODY,   /* reading a request body */
    H1_APP,    /* the handler has the exchange; output may be in flight */
    H1_SEND,   /* the answer is complete, the client has not taken all of it */
    H1_LAST,   /* the service stops, and the client has never asked: it may have been about to */
    H1_LINGER, /* the answer is sent, input is discarded until the peer closes */
    H1_CLOSED, /* waits for the loop to free it */
    H1_STATES
};

struct h1 {
    struct conn conn;
    enum h1_state state;
    enum connection_state counted; /* in the scoreboard */
    struct exchange *exchange;     /* in H1_BODY and H1_APP */
    enum ending ending;            /* in H1_SEND: what follows */
    struct head_reader reader;     /* in H1_HEAD */
    uint64_t body_since;           /* in H1_BODY, ms */
    uint64_t body_received;        /* raw bytes */
    struct pending pending;        /* a part of a head, or pipelined requests */
};

static inline struct h1 *h1_of(struct conn *conn)
{
    return (struct h1 *)conn;
}

/* Nothing else changes the state, or sets the time-out. */
void h1_enter(struct h1 *h, enum h1_state state);
/* Answers with an error, and closes. */
void h1_refuse(struct h1 *h, struct exchange *exchange, int status);
void h1_close(struct h1 *h);
/* The exchange is over, see exchange_new. */
void h1_done(struct conn *conn, enum ending ending);

/* Of H1_PROXY; in h1_proxy.c. */
bool h1_expects_proxy(struct conn *conn);
bool h1_consume_proxy(struct h1 *h, struct slice *bytes);
void h1_give_up_proxy(struct h1 *h); /* closes, and says so where a part of a header is there */

/* Of struct protocol; in h1_parcel.c. */
int h1_pack(struct conn *conn, struct parcel *parcel, struct iovec *pieces);
void h1_moved(struct conn *conn);
void h1_unpack(struct conn *conn, const struct parcel *parcel, const char *bytes);

#endif
