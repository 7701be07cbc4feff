/*
 * An exchange: one request and its response. The protocol makes it and hands it on when the request is whole; a handler
 * answers it; it ends in exactly one of exchange_end, exchange_fail, exchange_cut, and is gone after exchange_finish.
 *
 *   exchange_new .. (body) .. exchange_ready         the protocol, in the loop
 *   exchange_head, exchange_send..., exchange_end    the handler, in any thread, while the loop may be run by another one
 *   exchange_finish                                  whoever runs the loop, or exchange_finish_later from any thread
 *
 * Failure is one path: exchange_fail answers when no byte has left, otherwise it cuts the connection.
 */
#ifndef NET_EXCHANGE_H
#define NET_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "http/body.h"
#include "http/forwarded.h"
#include "http/request.h"
#include "http/response.h"
#include "net/conn.h"
#include "net/send_claim.h"

/* Room for a request line within the exchange; longer ones go to the heap. */
enum { EXCHANGE_INLINE = 256 };
/* Chunks of one exchange_send at most. */
enum { EXCHANGE_CHUNKS = 64 };

/* The other table that carries calls upward: who answers. */
struct handler {
    const char *name;
    /* Called outside the event base; ends the exchange before it returns. `context` is the calling thread's. */
    void (*run)(void *context, struct exchange *exchange);
};

/* What becomes of the connection after an exchange. */
enum ending {
    ENDING_KEEP_ALIVE,
    ENDING_CLOSE, /* the client has said that it sends no more, or only a reset tells that the answer is cut */
    ENDING_LINGER, /* we have decided so: the client may be sending still */
};

/* Of its client, see net/presence.h. */
enum presence {
    PRESENCE_ASSUMED, /* the answer comes at once */
    PRESENCE_WATCHED, /* there, as far as we know */
    PRESENCE_ASKED,   /* it has ended its side, and exchange_ask was called */
    PRESENCE_UNSURE,  /* it has ended its side, and cannot be asked */
};

struct exchange {
    struct conn *conn;
    struct exchange *next, *previous; /* on the ready list; next alone: to be finished */
    struct exchange *next_lasting;    /* in loop->lasting_first */
    struct request request;
    struct body body;
    struct response response;
    void (*done)(struct conn *conn, enum ending ending); /* the protocol's: the exchange is gone */
    /* clock_ns(), 0 before: */
    uint64_t started_ns;   /* when the head was whole */
    uint64_t ready_ns;     /* when it came on the ready list */
    uint64_t begun_ns;     /* when a thread took it from there: set by that thread, */
    uint64_t ended_ns;     /* as when it gave it back; without one, at the end of the answer */
    uint64_t preempted_ns; /* when it was answered in the thread's place */
    enum ending ending;
    uint64_t duration_ns;
    uint64_t
        body_sent; /* bytes of content given to the connection; at the end, of those the ones that left. Behind the gate */
    uint64_t head_size;      /* bytes of the head given to it; likewise */
    uint64_t lines_size;     /* of the lines around its chunks; likewise */
    struct send_claim claim; /* who may send */
    int late_status; /* of what was answered in the handler's place, or 499; 0: the answer is the handler's */
    uint64_t late_size;
    enum presence presence;
    bool
        waiting; /* for its client, or did when it was preempted: nothing has to end its call. Belongs to the GIL */
    bool finished; /* by exchange_finish: lives on only because the answer waits to be sent */
    bool let_go;   /* the connection is the protocol's again, though the call lasts: see exchange_preempt */
    bool cut;      /* the answer is not whole, and only a reset tells the client */
    bool head_finished; /* by exchange_head */
    bool head_sent;
    bool whole_sent;               /* behind the gate, as head_sent */
    bool zero_sent;                /* likewise: exchange_ask has sent one, and no chunk has followed */
    bool final_sent;               /* the last chunk */
    int counted;                   /* the status that the counters have; 0: none yet */
    bool overrun;                  /* the application sent more than its Content-Length: told once */
    char made_id[REQUEST_ID_SIZE]; /* request.id, when it was made here */
    char *line;                    /* `inline_line`, or the heap */
    char inline_line[EXCHANGE_INLINE];
};

/* Copies the request line, parses it; `section` is taken over when it is not NULL. *status is 0, or what to answer with:
 * then too there is an exchange, to answer on. */
struct exchange *exchange_new(struct conn *conn, struct slice line, struct header_section *section,
                              int *status, void (*done)(struct conn *conn, enum ending ending));
/* One that nobody has answered, and nobody here will. */
void exchange_forget(struct exchange *exchange);
/* Who has sent the request: the peer, or whom a trusted one speaks for. */
static inline const struct peer_endpoint *exchange_client(const struct exchange *exchange)
{
    const struct forwarded *forwarded = exchange->request.forwarded;
    return forwarded != NULL && forwarded->has_client ? &forwarded->client : &exchange->conn->peer;
}

/* The request is whole: on to the ready list, or answered at once when it is not for the application. */
void exchange_ready(struct exchange *exchange);

/* Ends the head. `known`: `size` is that of the whole body. */
void exchange_head(struct exchange *exchange, bool known, uint64_t size);
/* Body chunks, none of them empty; the head leaves with the first. 0, or -1 when the client is gone (or nothing can be kept for it): stop
 * producing. More than Content-Length is cut, and logged. */
int exchange_send(struct exchange *exchange, const struct slice *chunks, size_t count);
/* The whole body from a file, whose descriptor is the caller's. While no other can be made for what waits (EMFILE), it is sent
 * in parts: *offset and *size become what is left, and the caller calls again after exchange_wait, until nothing is. */
int exchange_send_file(struct exchange *exchange, int fd, off_t *offset, uint64_t *size);
/* False when nothing more can be sent: no body may follow this head, or Content-Length was overrun. */
bool exchange_wants_more(const struct exchange *exchange);
/* Output that the client has not taken is over all limits: call exchange_wait (which blocks) before producing more. So is a whole
 * answer that no spool could take: the threads that wait bound how many are in memory. */
bool exchange_is_full(struct exchange *exchange);
int exchange_wait(struct exchange *exchange); /* 0, or -1 as exchange_send */

/* All was sent: what ends the body (or the head, if there was no body) leaves now. exchange_end does it otherwise. */
void exchange_flush(struct exchange *exchange);
/* All was sent, and the call is over. A body shorter than its Content-Length cuts the connection, and is logged. */
void exchange_end(struct exchange *exchange);
/* Answers with `status` and a short text if no byte has left, else cuts the connection. `keep_alive` is false where the
 * request's framing is in doubt. */
void exchange_fail(struct exchange *exchange, int status, bool keep_alive);
/* The client is gone, or must be able to tell that the answer is not whole. */
void exchange_cut(struct exchange *exchange);

/* From whoever runs the loop, while another thread has the exchange: nothing that the handler produces is sent from here on.
 *   no byte has left       the client is answered with `status`; the connection ends
 *   a part has left        what was sent still reaches the client, then comes the end of the stream, within its framing; or, where
 *                          only that tells, a reset
 *   the whole has left     the connection goes on
 * The connection is given back to its protocol at once and no longer waits for the call. False when the thread sends just now, or
 * has ended the exchange: look again. */
bool exchange_preempt(struct exchange *exchange, int status);

/* From whoever runs the loop, when the client has ended its side of an HTTP/1.1 connection: sends what one that still reads
 * skips, and one that has closed answers with a reset. Nothing where the answer under way has no place for it. */
void exchange_ask(struct exchange *exchange);
/* exchange_preempt has succeeded; from any thread. */
bool exchange_was_preempted(const struct exchange *exchange);

/* The process ends without the calls that were answered in their thread's place and have not returned: records them. */
void exchange_record_lasting(const struct loop *loop);

/* The connection ends with the process (conn_abandon), while the exchange is the protocol's, waits for a thread, or is with one that
 * sends nothing more from here on. It is recorded, and its memory stays. True when only a reset tells the client that its answer
 * is not whole. */
bool exchange_abandon(struct exchange *exchange);
/* The same of one that is finished, when what waits of it is not sent any more. */
bool exchange_is_torn(const struct exchange *exchange);

/* After one of these three: counts, and gives the connection back to its protocol. Then the exchange is logged and gone; if its answer
 * waits for the client, only when that has ended (exchange_sent), however it does. */
void exchange_finish(struct exchange *exchange);
/* A request is refused with this status: the counters get it. The client sent something wrong, or nothing can be stored. */
void exchange_count_refusal(struct loop *loop, int status);
/* By the connection: what waited has left, or never will. Here alone it is decided what became of an answer, for the log and the
 * counters: what the kernel took is what was sent, and if it took nothing the status is 499. Of a chunked answer that is cut while
 * it waits, the lines around the chunks are taken to have left in proportion. So the size of its content is exact but for one
 * chunk's lines when all chunks are alike, and never wrong by more than all of these lines. */
void exchange_sent(struct conn *conn);
/* The same from a thread that does not run the loop: whoever does will do it soon. */
void exchange_finish_later(struct exchange *exchange);

#endif
