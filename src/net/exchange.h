/*
 * An exchange: one request and its response. The protocol makes it and hands it on when the request
 * is whole. A handler answers it. It ends in exactly one of exchange_end, exchange_fail and
 * exchange_cut, and is gone after exchange_finish.
 *
 *   exchange_new .. (body) .. exchange_ready         the protocol, in the loop
 *   exchange_head, exchange_send..., exchange_end    the handler, in any thread
 *   exchange_finish                                  the thread that runs the loop, or
 *                                                    exchange_finish_later from any thread
 *
 * Failure is one path: exchange_fail answers when no byte was sent, and cuts the connection
 * otherwise. Fields that need the send claim are marked; the loop may run in another thread
 * meanwhile.
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

/* Room for a request line within the exchange; a longer line goes to the heap. */
enum { EXCHANGE_INLINE = 256 };
/* The most chunks of one exchange_send. */
enum { EXCHANGE_CHUNKS = 64 };

/* This table carries calls upward: to the code that answers. struct protocol is the other one. */
struct handler {
    const char *name;
    /* Called outside of the event base. Ends the exchange before it returns. `context` belongs to
     * the calling thread. */
    void (*run)(void *context, struct exchange *exchange);
};

/* The state of the connection after an exchange. */
enum ending {
    ENDING_KEEP_ALIVE,
    ENDING_CLOSE,  /* the client sends no more, or only a reset tells that the answer is cut */
    ENDING_LINGER, /* the server closes: the client may still be sending */
};

/* The presence of the client: see net/presence.h. */
enum presence {
    PRESENCE_ASSUMED, /* the answer comes at once */
    PRESENCE_WATCHED, /* the client is there, as far as we know */
    PRESENCE_ASKED,   /* the client has ended its side, and exchange_ask was called */
    PRESENCE_UNSURE,  /* the client has ended its side, and cannot be asked */
};

struct exchange {
    struct conn *conn;
    struct exchange *next, *previous; /* on the ready list; `next` also on the finished list */
    struct exchange *next_lasting;    /* in loop->lasting_first */
    struct request request;
    struct body body;
    struct response response;
    /* The protocol's callback: the exchange is gone. */
    void (*done)(struct conn *conn, enum ending ending);
    /* Times of clock_ns(); 0: not reached. */
    uint64_t started_ns;   /* when the head was whole */
    uint64_t ready_ns;     /* when it came on the ready list */
    uint64_t begun_ns;     /* when a thread took it from there; set by that thread */
    uint64_t ended_ns;     /* when the thread gave it back; without a thread, the end of the answer */
    uint64_t preempted_ns; /* when it was answered in the thread's place */
    enum ending ending;
    uint64_t duration_ns;
    /* Bytes of content given to the connection; at the end, those that were sent. Needs the
         * send claim. */
    uint64_t body_sent;
    uint64_t head_size;      /* bytes of the head given to the connection; needs the send claim */
    uint64_t lines_size;     /* bytes of the lines around chunks; needs the send claim */
    struct send_claim claim; /* says which thread may send */
    /* Status of the answer in the handler's place, or 499; 0: the answer is the handler's. */
    int late_status;
    uint64_t late_size;
    enum presence presence;
    /* The call waits for its client, or did when it was preempted: nothing needs to end it.
         * Under the GIL. */
    bool waiting;
    bool finished; /* set by exchange_finish: it lives on because its answer is queued */
    /* The protocol has the connection again, and the call goes on: see exchange_preempt. */
    bool let_go;
    bool cut;           /* the answer is not whole, and only a reset tells the client */
    bool head_finished; /* set by exchange_head */
    bool head_sent;
    bool whole_sent; /* needs the send claim, as head_sent does */
    /* exchange_ask has sent a zero, and no chunk followed; needs the send claim */
    bool zero_sent;
    bool final_sent;               /* the last chunk was sent */
    int counted;                   /* the status that the counters have; 0: none yet */
    bool overrun;                  /* the application sent more than its Content-Length: logged once */
    char made_id[REQUEST_ID_SIZE]; /* request.id, when it was made here */
    char *line;                    /* `inline_line`, or the heap */
    char inline_line[EXCHANGE_INLINE];
};

/* Copies the request line and parses it. Takes over `section` when it is not NULL. *status is 0, or
 * the status to answer with. The exchange exists in both cases. */
struct exchange *exchange_new(struct conn *conn, struct slice line, struct header_section *section,
                              int *status, void (*done)(struct conn *conn, enum ending ending));
/* Frees an exchange that was not answered and will not be answered here. */
void exchange_forget(struct exchange *exchange);
/* The client: the peer, or the one that a trusted peer speaks for. */
static inline const struct peer_endpoint *exchange_client(const struct exchange *exchange)
{
    const struct forwarded *forwarded = exchange->request.forwarded;
    return forwarded != NULL && forwarded->has_client ? &forwarded->client : &exchange->conn->peer;
}

/* The request is whole. It goes on the ready list, or the worker answers it at once
 * (app/worker_answers.h). */
void exchange_ready(struct exchange *exchange);

/* Ends the head. With `known`, `size` is the size of the whole body. */
void exchange_head(struct exchange *exchange, bool known, uint64_t size);
/* Sends chunks of the body, none of them empty. The head goes with the first. -1 when the client is
 * gone, or nothing can be stored for it: then the handler stops. Else 0. Bytes over Content-Length
 * are dropped, and logged. */
int exchange_send(struct exchange *exchange, const struct slice *chunks, size_t count);
/* Sends the whole body from a file, whose descriptor is the caller's. When no second descriptor can
 * be made (EMFILE), it sends parts: *offset and *size become the rest. The caller calls again after
 * exchange_wait, until nothing is left. */
int exchange_send_file(struct exchange *exchange, int fd, off_t *offset, uint64_t *size);
/* False when nothing more can be sent: this head has no body, or Content-Length was exceeded. */
bool exchange_wants_more(const struct exchange *exchange);
/* True when the queued output is over all limits: the handler calls exchange_wait, which blocks,
 * before it produces more. True also for a whole answer that no spool could take: so the number of
 * threads bounds how many are in memory. */
bool exchange_is_full(struct exchange *exchange);
int exchange_wait(struct exchange *exchange); /* 0, or -1 as exchange_send */

/* Everything was produced: sends the end of the body, or the head of an answer without one. Else
 * exchange_end does it. */
void exchange_flush(struct exchange *exchange);
/* Everything was produced, and the call is over. A body shorter than its Content-Length cuts the
 * connection, and is logged. */
void exchange_end(struct exchange *exchange);
/* Answers with `status` and a short text if no byte was sent. Else it cuts the connection.
 * `keep_alive` is false where the framing of the request is in doubt. */
void exchange_fail(struct exchange *exchange, int status, bool keep_alive);
/* Ends an exchange whose client is gone, or must see that the answer is not whole. */
void exchange_cut(struct exchange *exchange);

/*
 * For the thread that runs the loop, while another thread has the exchange: from here on nothing
 * that the handler produces is sent.
 *
 *   no byte was sent      the client gets `status`; the connection ends
 *   a part was sent       that part still reaches the client, and then the end of the stream;
 *                         or a reset, where only that tells that the answer is cut
 *   the whole was sent    the connection goes on
 *
 * The protocol gets the connection back at once, and the connection does not wait for the call.
 * False when the thread is sending, or has ended the exchange: the caller looks again.
 */
bool exchange_preempt(struct exchange *exchange, int status);

/* For the thread that runs the loop, when the client has ended its side of an HTTP/1.1 connection.
 * Sends bytes that a reading client skips, and that a closed client answers with a reset. Sends
 * nothing where the answer has no place for them. */
void exchange_ask(struct exchange *exchange);
/* True after exchange_preempt has succeeded. From any thread. */
bool exchange_was_preempted(const struct exchange *exchange);

/* The process ends before calls return that were answered in their thread's place: records them. */
void exchange_record_lasting(const struct loop *loop);

/* The connection ends with the process (conn_abandon). The protocol has the exchange, or it waits
 * for a thread, or its thread sends nothing more from here on. The exchange is recorded; its memory
 * stays. True when only a reset tells the client that its answer is not whole. */
bool exchange_abandon(struct exchange *exchange);
/* The same question for a finished exchange whose queued output will not be sent. */
bool exchange_is_torn(const struct exchange *exchange);

/* After one of these three: counts, and gives the connection back to its protocol. Then the
 * exchange is logged and gone. If its answer is queued, that happens when the queue has ended in
 * any way (exchange_sent). */
void exchange_finish(struct exchange *exchange);
/*
 * The connection calls this when the queued output was sent, or never will be. This alone decides
 * the fate of an answer, for the log and the counters. Bytes that the kernel took count as sent. If
 * it took none, the status is 499.
 *
 * When a chunked answer is cut in the queue, the lines around the chunks count as sent in
 * proportion. So the size of the content is exact but for one chunk's lines when all chunks are
 * alike. It is never wrong by more than all of these lines.
 */
void exchange_sent(struct conn *conn);
/* exchange_finish for a thread that does not run the loop: the thread that does will do it soon. */
void exchange_finish_later(struct exchange *exchange);

#endif
