/* HTTP/1 on a connection: the states, and the work in each. The states are drawn in h1.h. */
#include "net/h1.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spool.h"
#include "base/text.h"
#include "http/head.h"
#include "http/proxy_protocol.h"
#include "net/conn.h"
#include "net/exchange.h"
#include "net/parcel.h"
#include "net/pending.h"
#include "net/presence.h"

enum h1_state {
    H1_PROXY,  /* the PROXY protocol's header comes first, from a peer that has to send it */
    H1_NEW,    /* before the first request: no byte has come */
    H1_IDLE,   /* between requests */
    H1_HEAD,   /* reading a request head */
    H1_BODY,   /* reading a request body */
    H1_APP,    /* the handler has the exchange; output may be under way */
    H1_SEND,   /* the answer is complete, and the client has not taken all of it */
    H1_LAST,   /* the service stops, and the client has never asked: a request may be on its way */
    H1_LINGER, /* the answer is sent; input is discarded until the peer closes */
    H1_CLOSED, /* the loop will free it */
    H1_STATES
};

struct h1 {
    struct conn conn;
    enum h1_state state;
    enum connection_state counted; /* in the scoreboard */
    struct exchange *exchange;     /* set in H1_BODY and H1_APP */
    enum ending ending;            /* in H1_SEND: the ending that follows */
    struct head_reader reader;     /* in H1_HEAD */
    uint64_t body_since;           /* in H1_BODY, ms */
    uint64_t body_received;        /* raw bytes */
    struct pending pending;        /* part of a head, or pipelined requests */
};

static inline struct h1 *h1_of(struct conn *conn)
{
    return (struct h1 *)conn;
}

/* Time-outs and input in each state. A state without a time-out keeps the last one: moving it twice
 * per request would cost more than ignoring it. */
static const struct {
    bool reads;
    enum timeout_class timeout;
    int timeout_status; /* the answer at the time-out; 0: close */
    enum connection_state counts_as;
} states[H1_STATES] = {
    [H1_PROXY] = {true, TIMEOUT_SILENT, 0, CONNECTION_READING},
    [H1_NEW] = {true, TIMEOUT_SILENT, 0, CONNECTION_IDLE},
    [H1_IDLE] = {true, TIMEOUT_KEEP_ALIVE, 0, CONNECTION_IDLE},
    [H1_HEAD] = {true, TIMEOUT_HEADER, 408, CONNECTION_READING},
    [H1_BODY] = {true, TIMEOUT_BODY, 408, CONNECTION_READING},
    [H1_APP] = {false, TIMEOUT_NONE, 0, CONNECTION_IDLE},
    [H1_SEND] = {false, TIMEOUT_WRITE, 0, CONNECTION_WRITING},
    [H1_LAST] = {true, TIMEOUT_LAST, 0, CONNECTION_IDLE},
    [H1_LINGER] = {true, TIMEOUT_LINGER, 0, CONNECTION_WRITING},
    [H1_CLOSED] = {false, TIMEOUT_NONE, 0, CONNECTION_WRITING},
};

/* After this time a body must not be slower than --min-body-rate. */
enum { BODY_RATE_GRACE_MS = 10000 };

static void h1_count(struct h1 *h, enum connection_state state)
{
    struct scoreboard_row *row = h->conn.loop->row;
    if (h->counted == state)
        return;
    scoreboard_add(row->connection_states[h->counted], -1);
    scoreboard_add(row->connection_states[state], 1);
    h->counted = state;
}

static void h1_enter(struct h1 *h, enum h1_state state)
{
    h->state = state;
    h1_count(h, states[state].counts_as);
    if (states[state].timeout != TIMEOUT_NONE)
        timeout_set(h->conn.loop->timeouts, &h->conn.timeout, states[state].timeout);
}

static void h1_close(struct h1 *h)
{
    h1_enter(h, H1_CLOSED);
    conn_close(&h->conn);
}

/* Bytes that show what the peer sent instead. */
enum { SHOWN = 32 };

static void h1_tell_proxy(const struct h1 *h, struct slice bytes, const char *what)
{
    char shown[SHOWN * 4 + 1];
    const char *address = h->conn.peer.address;
    size_t size = bytes.size < SHOWN ? bytes.size : SHOWN;
    shown[text_escape(shown, sizeof(shown) - 1, bytes.data, size, true)] = '\0';
    log_limited(LOG_PROXY_HEADER, LOG_WARNING, "a connection of %s %s: \"%s\"; it is closed",
                address[0] != '\0' ? address : "a unix-domain socket", what, shown);
}

static void h1_tell_proxy_wrong(const struct h1 *h, struct slice bytes, const struct proxy_header *header)
{
    const char *address = h->conn.peer.address;
    if (header->unsupported == 0)
        h1_tell_proxy(h, bytes, "does not begin with a header of --proxy-protocol");
    else
        log_limited(
            LOG_PROXY_HEADER, LOG_WARNING,
            "a connection of %s begins with a header of --proxy-protocol for %s (0x%02x), which is not "
            "supported: TCP, Unix-domain streams and AF_UNSPEC are; it is closed",
            address[0] != '\0' ? address : "a unix-domain socket", proxy_family_name(header->unsupported),
            header->unsupported);
}

static bool h1_expects_proxy(struct conn *conn)
{
    return conn->loop->options->proxy_protocol != PROXY_OFF && conn_is_trusted(conn);
}

static bool h1_consume_proxy(struct h1 *h, struct slice *bytes)
{
    struct conn *conn = &h->conn;
    struct proxy_header header;
    if (proxy_header_parse((enum proxy_version)conn->loop->options->proxy_protocol, *bytes, &header) < 0) {
        h1_tell_proxy_wrong(h, *bytes, &header);
        bytes->size = 0;
        h1_close(h);
        return false;
    }
    if (header.size == 0)
        return false;
    bytes->data += header.size;
    bytes->size -= header.size;
    if (header.has_client)
        conn->peer = header.client;
    conn->unnamed = header.source == PROXY_UNNAMED;
    conn->judged = false;
    h1_enter(h, H1_NEW);
    return bytes->size > 0;
}

static void h1_give_up_proxy(struct h1 *h)
{
    if (h->pending.data != NULL)
        h1_tell_proxy(h, pending_slice(&h->pending), "ended within its header of --proxy-protocol");
    h1_close(h);
}

/* The peer sends no more, and its bytes have been read. */
static bool peer_has_ended(const struct h1 *h)
{
    return h->conn.ended && !h->conn.readable;
}

/* Closing while the peer still sends would reset the connection, and destroy the answer on its
 * way. */
static void h1_linger(struct h1 *h)
{
    if (h->conn.broken || peer_has_ended(h)) {
        h1_close(h);
        return;
    }
    conn_shut(&h->conn);
    h1_enter(h, H1_LINGER);
    conn_defer(&h->conn);
}

/* The answer was sent or queued: goes on to the next state. */
static void h1_next(struct h1 *h)
{
    bool unread = h->conn.readable || h->pending.data != NULL;
    conn_trim(&h->conn);
    if (h->ending == ENDING_KEEP_ALIVE) {
        h1_enter(h, H1_IDLE);
        if (unread || h->conn.ended || !h->conn.placed || h->conn.loop->draining || h->conn.loop->retiring)
            conn_defer(&h->conn);
        if (h->conn.loop->accepting_paused)
            loop_offer_idle(h->conn.loop);
    } else if ((unread || h->ending == ENDING_LINGER) && !h->conn.resetting) {
        h1_linger(h);
    } else {
        h1_close(h);
    }
}

/* The exchange is over: see exchange_new. */
static void h1_done(struct conn *conn, enum ending ending)
{
    struct h1 *h = h1_of(conn);
    h->exchange = NULL;
    h->ending = ending;
    if (conn->broken) {
        h1_close(h);
    } else if (!conn_is_drained(conn)) {
        h1_enter(h, H1_SEND);
        if (!conn->watched)
            conn_defer(conn);
    } else {
        h1_next(h);
    }
}

static const struct {
    int status;
    enum refusal refusal;
} refusals[] = {
    {400, REFUSAL_MALFORMED},   {408, REFUSAL_SLOW},        {413, REFUSAL_TOO_LARGE},
    {414, REFUSAL_TOO_LARGE},   {417, REFUSAL_UNSUPPORTED}, {431, REFUSAL_TOO_LARGE},
    {501, REFUSAL_UNSUPPORTED}, {503, REFUSAL_NO_STORAGE},  {505, REFUSAL_UNSUPPORTED},
};

/* The client sent something wrong, or nothing can be stored. */
static void h1_count_refusal(struct loop *loop, int status)
{
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (refusals[i].status == status)
            scoreboard_add(loop->row->refused[refusals[i].refusal], 1);
}

static void h1_refuse(struct h1 *h, struct exchange *exchange, int status)
{
    h->exchange = NULL;
    h1_enter(h, H1_APP);
    h1_count_refusal(h->conn.loop, status);
    exchange_fail(exchange, status, false);
    exchange_finish(exchange);
}

static void h1_continue(struct h1 *h)
{
    static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct iovec vector = {(char *)line, sizeof(line) - 1};
    conn_send(&h->conn, &vector, 1);
}

static void h1_ready(struct h1 *h)
{
    h1_enter(h, H1_APP);
    exchange_ready(h->exchange);
}

/* The head is whole and valid: begins the body, or the request is whole. `more`: bytes follow the
 * head already. */
static void h1_begin_body(struct h1 *h, bool more)
{
    struct exchange *exchange = h->exchange;
    int status = body_init(&exchange->body, exchange->request.section, &h->conn.loop->body_limits);
    if (status != 0) {
        h1_refuse(h, exchange, status);
        return;
    }
    if (exchange->body.complete) {
        h1_ready(h);
        return;
    }
    if (exchange->request.section->expect_continue && exchange->request.minor > 0 && !more)
        h1_continue(h);
    h->body_since = clock_ms();
    h->body_received = 0;
    h1_enter(h, H1_BODY);
}

/* The exchange of a request that is not whole. Only some bytes of a head may be there. */
static struct exchange *unfinished_exchange(struct h1 *h)
{
    int unread;
    if (h->exchange != NULL)
        return h->exchange;
    return exchange_new(&h->conn, (struct slice){"", 0}, NULL, &unread, h1_done);
}

static void h1_refuse_unfinished(struct h1 *h, int status)
{
    h1_refuse(h, unfinished_exchange(h), status);
}

/* The peer has reset the connection within a request: nothing can be sent, and the request counts
 * all the same. */
static void h1_lose_unfinished(struct h1 *h)
{
    struct exchange *exchange = unfinished_exchange(h);
    exchange_cut(exchange);
    exchange_finish(exchange);
}

/* Each function takes bytes from the front of `bytes`. It returns false when it needs more, or is
 * done with the connection. */
static bool consume_idle(struct h1 *h, struct slice *bytes)
{
    int status = head_reader_skip(&h->reader, bytes);
    if (status != 0) {
        h1_refuse_unfinished(h, status);
        return false;
    }
    if (bytes->size == 0 || (bytes->size == 1 && bytes->data[0] == '\r'))
        return false;
    head_reader_begin(&h->reader);
    h->state = H1_HEAD; /* most heads are whole: the time-out is set when this one is not */
    return true;
}

static bool consume_head(struct h1 *h, struct slice *bytes)
{
    struct loop *loop = h->conn.loop;
    struct head head;
    int status = head_read(&h->reader, loop->memo, &loop->parser_limits, *bytes, &head);
    if (status == 0 && head.size == 0) {
        if (h->conn.timeout.class != TIMEOUT_HEADER)
            h1_enter(h, H1_HEAD);
        return false;
    }
    int line_status;
    struct exchange *exchange = exchange_new(&h->conn, head.line, head.section, &line_status, h1_done);
    /* A wrong request line is the better reason: the text behind it may be no header. */
    if (line_status != 0 && (status == 0 || head.line.size > 0))
        status = line_status;
    if (status != 0) {
        h1_refuse(h, exchange, status);
        return false;
    }
    bytes->data += head.size;
    bytes->size -= head.size;
    h->exchange = exchange;
    h1_begin_body(h, bytes->size > 0);
    return h->state == H1_BODY || h->state == H1_IDLE;
}

static bool body_is_slow(const struct h1 *h)
{
    int64_t rate = h->conn.loop->options->min_body_rate;
    uint64_t elapsed = clock_ms() - h->body_since;
    return rate > 0 && elapsed > BODY_RATE_GRACE_MS && h->body_received * 1000 / elapsed < (uint64_t)rate;
}

static bool consume_body(struct h1 *h, struct slice *bytes)
{
    struct exchange *exchange = h->exchange;
    size_t before = bytes->size;
    if (before == 0)
        return false;
    int status = body_feed(&exchange->body, bytes);
    h->body_received += before - bytes->size;
    if (status == 503)
        log_limited(LOG_BODY_SPOOL, LOG_ERROR, "a request body could not be kept in %s: %s",
                    h->conn.loop->body_limits.tmp_dir, spool_strerror(exchange->body.error));
    if (status == 0 && !exchange->body.complete && body_is_slow(h))
        status = 408;
    if (status != 0)
        h1_refuse(h, exchange, status);
    else if (exchange->body.complete)
        h1_ready(h);
    else
        h1_enter(h, H1_BODY);
    return h->state == H1_IDLE; /* the request is answered already */
}

static bool consume_nothing(struct h1 *h, struct slice *bytes)
{
    (void)h, (void)bytes;
    return false;
}

static bool consume_all(struct h1 *h, struct slice *bytes)
{
    (void)h;
    bytes->size = 0;
    return false;
}

static bool (*const consume[H1_STATES])(struct h1 *h, struct slice *bytes) = {
    [H1_PROXY] = h1_consume_proxy, [H1_NEW] = consume_idle,     [H1_IDLE] = consume_idle,
    [H1_LAST] = consume_idle,      [H1_HEAD] = consume_head,    [H1_BODY] = consume_body,
    [H1_APP] = consume_nothing,    [H1_SEND] = consume_nothing, [H1_LINGER] = consume_all,
    [H1_CLOSED] = consume_all,
};

static void h1_consume(struct h1 *h, struct slice bytes)
{
    while (consume[h->state](h, &bytes))
        ;
    pending_keep(&h->pending, bytes);
}

/* The peer sends no more. A request under way cannot be completed. An answer under way is still
 * sent. */
static void h1_ended(struct h1 *h)
{
    if (h->state == H1_HEAD || h->state == H1_BODY) {
        if (h->conn.broken)
            h1_lose_unfinished(h);
        else
            h1_refuse_unfinished(h, 400);
    } else if (h->state == H1_PROXY) {
        h1_give_up_proxy(h);
    } else if (states[h->state].reads) {
        h1_close(h);
    }
}

/* Reads once per call: a client that sends faster than we read must not hold the loop. */
static void h1_receive(struct h1 *h)
{
    struct slice bytes = conn_receive(&h->conn);
    if (bytes.size == 0)
        return;
    h1_consume(h, h->pending.data == NULL ? bytes : pending_append(&h->pending, bytes));
    if (states[h->state].reads)
        conn_look_again(&h->conn);
}

/* No request is on our side of the connection. */
static bool is_waiting(const struct h1 *h)
{
    return h->state == H1_IDLE || h->state == H1_NEW;
}

/* The service stops, and the connection idles. */
static void h1_part(struct h1 *h)
{
    if (h->state == H1_IDLE) {
        h1_linger(h);
        return;
    }
    h1_enter(h, H1_LAST);
    conn_defer(&h->conn);
}

static void h1_readable(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    if (h->state == H1_APP) {
        if (presence_look(h->exchange))
            loop_drop_ready(conn->loop, h->exchange);
        return;
    }
    if (h->pending.data != NULL && is_waiting(h))
        h1_consume(h, pending_slice(&h->pending));
    if (states[h->state].reads && conn->readable)
        h1_receive(h);
    if (states[h->state].reads && peer_has_ended(h))
        h1_ended(h);
    else if (is_waiting(h) && conn->loop->parting && !conn->readable)
        h1_part(h);
    else if (h->state == H1_PROXY && conn->loop->parting && conn->timeout.class != TIMEOUT_LAST)
        timeout_set(conn->loop->timeouts, &conn->timeout, TIMEOUT_LAST);
    else if (states[h->state].reads && (conn->readable || !conn->watched))
        conn_defer(conn);
}

static void h1_open(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    h->reader.memo_slot = memo_recent(conn->loop->memo);
    h->counted = CONNECTION_IDLE;
    scoreboard_add(conn->loop->row->connection_states[CONNECTION_IDLE], 1);
    h1_enter(h, h1_expects_proxy(conn) ? H1_PROXY : H1_NEW);
}

static void h1_drained(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    if (h->state != H1_SEND)
        return;
    if (conn->broken)
        h1_close(h);
    else if (conn_is_drained(conn))
        h1_next(h);
    else
        h1_enter(h, H1_SEND);
}

/* The application may have held the loop. Input that has come meanwhile, and output that could have
 * been sent, were in time. For a head only its end counts: bytes alone do not buy time. */
static bool h1_was_in_time(struct h1 *h)
{
    struct conn *conn = &h->conn;
    enum h1_state before = h->state;
    if (before == H1_SEND)
        conn_drain(conn);
    if (states[before].reads && before != H1_LINGER) {
        conn->readable = true;
        h1_readable(conn);
    }
    bool head = before == H1_HEAD || before == H1_PROXY;
    return h->state != before || (!head && conn->timeout.class != TIMEOUT_NONE);
}

static void h1_timed_out(struct conn *conn, enum timeout_class class)
{
    (void)class;
    struct h1 *h = h1_of(conn);
    if (states[h->state].timeout == TIMEOUT_NONE || h1_was_in_time(h))
        return;
    int status = states[h->state].timeout_status;
    if (is_waiting(h) || h->state == H1_LAST) {
        h1_linger(h);
        return;
    }
    if (h->state == H1_PROXY) {
        h1_give_up_proxy(h);
        return;
    }
    if (status == 0) {
        h1_close(h);
        return;
    }
    h1_refuse_unfinished(h, status);
}

/* The worker stops. It still answers a request that has just arrived. */
static void h1_drain(struct conn *conn)
{
    if (!is_waiting(h1_of(conn)) && h1_of(conn)->state != H1_PROXY)
        return;
    conn->readable = true;
    h1_readable(conn);
}

/* A request that has just arrived is still answered. A request on its way meets the end of the
 * connection. */
static bool h1_give_way(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    if (is_waiting(h) || h->state == H1_PROXY) {
        conn->readable = true;
        h1_readable(conn);
    }
    if (is_waiting(h) || (h->state == H1_PROXY && h->pending.data == NULL))
        h1_close(h);
    else if (h->state == H1_PROXY)
        timeout_set(conn->loop->timeouts, &conn->timeout, TIMEOUT_HEADER);
    else if (states[h->state].timeout == TIMEOUT_NONE)
        timeout_clear(&conn->timeout);
    return h->state == H1_CLOSED;
}

static struct iovec piece(const void *data, size_t size)
{
    return (struct iovec){(void *)data, size};
}

/* Line and section are kept as they were sent. The body is decoded. */
static int h1_pack_request(const struct exchange *exchange, struct parcel *parcel, struct iovec *pieces)
{
    static const char end[] = "\r\n";
    const struct request *request = &exchange->request;
    const struct body_content *content = &exchange->body.content;
    int count = 0;
    pieces[count++] = piece(request->line.data, request->line.size);
    pieces[count++] = piece(end, sizeof(end) - 1);
    pieces[count++] = piece(request->section->bytes.data, request->section->bytes.size);
    parcel->head = request->line.size + sizeof(end) - 1 + request->section->bytes.size;
    parcel->started_ns = exchange->started_ns;
    parcel->ready_ns = exchange->ready_ns;
    parcel->spool = content->spool;
    if (content->spool >= 0) {
        parcel->spool_size = content->size;
    } else if (content->size > 0) {
        parcel->body = content->size;
        pieces[count++] = piece(content->memory, content->size);
    }
    return count;
}

static int h1_pack(struct conn *conn, struct parcel *parcel, struct iovec *pieces)
{
    struct h1 *h = h1_of(conn);
    int count = 0;
    parcel->asked = h->state != H1_NEW && h->state != H1_PROXY;
    parcel->awaits_proxy = h->state == H1_PROXY;
    parcel->unnamed = conn->unnamed;
    if (h->state == H1_APP && loop_has_ready(conn->loop, h->exchange))
        count = h1_pack_request(h->exchange, parcel, pieces);
    else if ((h->state != H1_IDLE && parcel->asked) || conn->ended)
        return -1;
    if (!conn_is_drained(conn)) /* an interim answer is queued */
        return -1;
    if (h->pending.data != NULL) {
        parcel->rest = h->pending.size;
        pieces[count++] = piece(h->pending.data, h->pending.size);
    }
    return count;
}

static void h1_moved(struct conn *conn)
{
    struct h1 *h = h1_of(conn);
    if (h->exchange != NULL) {
        loop_remove_ready(conn->loop, h->exchange);
        exchange_forget(h->exchange);
        h->exchange = NULL;
    }
    h1_enter(h, H1_CLOSED);
}

static struct body_content h1_take_content(const struct parcel *parcel, const char *bytes,
                                           const struct spool_budget *budget)
{
    struct body_content content = {.size = parcel->body, .spool = parcel->spool, .budget = budget};
    if (parcel->spool >= 0) {
        content.size = parcel->spool_size;
        spool_take_over(budget, &content.reserved, content.size);
    } else if (parcel->body > 0) {
        content.memory = xmalloc(parcel->body);
        memcpy(content.memory, bytes, parcel->body);
    }
    return content;
}

/* The request was valid in another worker, which may have other limits. */
static void h1_unpack_request(struct h1 *h, const struct parcel *parcel, const char *bytes)
{
    struct loop *loop = h->conn.loop;
    struct body_content content = h1_take_content(parcel, bytes + parcel->head, loop->body_limits.budget);
    struct head head;
    int line_status;
    head_reader_begin(&h->reader);
    int status =
        head_read(&h->reader, loop->memo, &loop->parser_limits, (struct slice){bytes, parcel->head}, &head);
    struct exchange *exchange = exchange_new(&h->conn, head.line, head.section, &line_status, h1_done);
    if (status == 0 && head.size != parcel->head)
        status = 400;
    if (head.line.size > 0 && line_status != 0)
        status = line_status;
    if (status != 0) {
        body_content_free(&content);
        h1_refuse(h, exchange, status);
        return;
    }
    body_restore(&exchange->body, exchange->request.section, content);
    exchange->started_ns = parcel->started_ns;
    h->exchange = exchange;
    h1_enter(h, H1_APP);
    exchange->ready_ns = parcel->ready_ns;
    exchange_ready(exchange);
}

static void h1_unpack(struct conn *conn, const struct parcel *parcel, const char *bytes)
{
    struct h1 *h = h1_of(conn);
    /* The header of the PROXY protocol is expected where the connection was accepted, and while it
     * is expected here. */
    if (parcel->asked)
        h1_enter(h, H1_IDLE);
    else if (!parcel->awaits_proxy)
        h1_enter(h, H1_NEW);
    conn->unnamed = parcel->unnamed;
    conn->judged = false;
    pending_keep(&h->pending, (struct slice){bytes + parcel->head + parcel->body, parcel->rest});
    if (parcel->head > 0)
        h1_unpack_request(h, parcel, bytes);
}

static struct exchange *h1_exchange(const struct conn *conn)
{
    return ((const struct h1 *)conn)->exchange;
}

static bool h1_unfinished(const struct conn *conn)
{
    enum h1_state state = ((const struct h1 *)conn)->state;
    return state == H1_HEAD || state == H1_BODY || state == H1_APP || state == H1_SEND;
}

static void h1_free(struct conn *conn)
{
    scoreboard_add(conn->loop->row->connection_states[h1_of(conn)->counted], -1);
    pending_free(&h1_of(conn)->pending);
}

const struct protocol h1_protocol = {
    .name = "http/1",
    .size = sizeof(struct h1),
    .open = h1_open,
    .readable = h1_readable,
    .drained = h1_drained,
    .timed_out = h1_timed_out,
    .drain = h1_drain,
    .give_way = h1_give_way,
    .exchange = h1_exchange,
    .unfinished = h1_unfinished,
    .pack = h1_pack,
    .moved = h1_moved,
    .unpack = h1_unpack,
    .free = h1_free,
};
