/* An exchange: one request and its response. */
#include "net/exchange.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "http/parser.h"

/* The vectors of one send: head, chunk size, the chunks, the end of the chunk. */
enum { SEND_VECTORS = EXCHANGE_CHUNKS + 3 };

/* For the access log alone: the client was gone before its answer. nginx has made this number
 * usual. */
enum { STATUS_CLIENT_GONE = 499 };

/* The part of count_answer that counts: for a status other than the one counted last. */
static void count_status(struct exchange *exchange, int status)
{
    _Atomic uint64_t *answers = exchange->conn->loop->row->answers;
    if (status < SCOREBOARD_CODE_MIN || status > SCOREBOARD_CODE_MAX)
        return;
    scoreboard_count(answers[status - SCOREBOARD_CODE_MIN], 1);
    if (exchange->counted != 0)
        scoreboard_count(answers[exchange->counted - SCOREBOARD_CODE_MIN], (uint64_t)-1);
    exchange->counted = status;
}

/*
 * Counts an answer that is about to be whole, or has ended, with that status. For the thread with
 * the send claim. Each exchange counts once, with its last status.
 *
 * An answer is counted before its last byte is sent. So a client that has it finds it counted, even
 * if the worker is killed in that moment. Only afterwards is it known whether the kernel took the
 * byte. If not, and it has taken no byte before, the count moves to 499. So the sum over all codes
 * is one too many for the time of that system call, and never too few.
 */
static inline void count_answer(struct exchange *exchange, int status)
{
    if (exchange->counted != status)
        count_status(exchange, status);
}

/* Counts a call of the application and the wait for it, or a wait without a call. */
static void count_call(struct exchange *exchange, uint64_t ended_ns)
{
    struct scoreboard_row *row = exchange->conn->loop->row;
    uint64_t begun = exchange->begun_ns;
    histogram_add(&row->queue, (begun != 0 ? begun : ended_ns) - exchange->ready_ns);
    if (begun != 0)
        histogram_add(&row->call, exchange->ended_ns - begun);
}

/* The exchange is over. Returns its duration, in ns. For the thread that runs the loop. */
static uint64_t count_end(struct exchange *exchange)
{
    struct scoreboard_row *row = exchange->conn->loop->row;
    if (exchange->ended_ns == 0)
        exchange->ended_ns = clock_ns();
    uint64_t ended = exchange->preempted_ns != 0 ? exchange->preempted_ns : exchange->ended_ns;
    uint64_t duration = ended - exchange->started_ns;
    scoreboard_add(row->requests, 1);
    histogram_add(&row->request, duration);
    if (exchange->ready_ns != 0)
        count_call(exchange, ended);
    return duration;
}

/* The id of a trusted proxy is taken always, for the log. To make one costs time. */
static void take_id(struct exchange *exchange)
{
    struct loop *loop = exchange->conn->loop;
    struct request *request = &exchange->request;
    const struct header_section *section = request->section;
    request->answers_id = loop->options->request_id;
    if (section != NULL && section->request_id.data != NULL && conn_is_trusted(exchange->conn)) {
        request->id = section->request_id;
    } else if (request->answers_id) {
        request_id_make(&loop->request_ids, exchange->made_id);
        request->id = (struct slice){exchange->made_id, sizeof(exchange->made_id)};
    }
}

enum { TEXT_SIZE = 300 + REQUEST_TAG_SIZE }; /* bytes of a request's name in a message */

static const char *request_text(const struct exchange *exchange, char out[TEXT_SIZE])
{
    size_t n =
        text_escape(out, TEXT_SIZE - REQUEST_TAG_SIZE, exchange->line, exchange->request.line.size, true);
    request_tag(&exchange->request, out + n);
    return out;
}

static void tell_refused_prefix(const struct exchange *exchange)
{
    char text[TEXT_SIZE], shown[TEXT_SIZE];
    struct slice prefix = exchange->request.forwarded->prefix_refused;
    shown[text_escape(shown, sizeof(shown) - 1, prefix.data, prefix.size, true)] = '\0';
    log_debug("%s: X-Forwarded-Prefix \"%s\" is dropped, as it is no safe path", request_text(exchange, text),
              shown);
}

/* Believes the fields of a trusted proxy. */
static void believe_proxy(struct exchange *exchange)
{
    struct loop *loop = exchange->conn->loop;
    const struct forwarded *forwarded =
        forwarded_of(exchange->request.section, &loop->trusted, &loop->believed);
    exchange->request.forwarded = forwarded;
    if (forwarded->cut_at_private && !loop->cut_told) {
        const char *address = forwarded->client.address;
        log_warning(
            "a list of X-Forwarded-For or Forwarded goes on beyond %s, a private address that is not in "
            "--forwarded-allow-ips, and is not believed from there on; if this is a proxy of yours, add it "
            "to --forwarded-allow-ips (told once per worker)",
            address[0] != '\0' ? address : "a Unix-domain socket");
        loop->cut_told = true;
    }
    if (forwarded->prefix_refused.data != NULL)
        tell_refused_prefix(exchange);
}

struct exchange *exchange_new(struct conn *conn, struct slice line, struct header_section *section,
                              int *status, void (*done)(struct conn *conn, enum ending ending))
{
    struct loop *loop = conn->loop;
    struct exchange *exchange = pool_take(&loop->exchanges);
    exchange->conn = conn;
    exchange->done = done;
    exchange->started_ns = loop_now(loop);
    exchange->ready_ns = exchange->begun_ns = exchange->ended_ns = exchange->preempted_ns = 0;
    exchange->body_sent = exchange->head_size = exchange->lines_size = 0;
    exchange->counted = 0;
    exchange->head_finished = exchange->head_sent = exchange->final_sent = exchange->overrun = false;
    exchange->cut = exchange->whole_sent = exchange->finished = exchange->waiting = false;
    exchange->zero_sent = exchange->let_go = false;
    exchange->late_status = 0;
    exchange->late_size = 0;
    exchange->previous = NULL;
    exchange->presence = PRESENCE_ASSUMED;
    send_claim_release(&exchange->claim);
    body_none(&exchange->body);
    exchange->line = line.size <= EXCHANGE_INLINE ? exchange->inline_line : xmalloc(line.size);
    memcpy(exchange->line, line.data, line.size);
    response_init(&exchange->response);
    struct request *request = &exchange->request;
    *status = request_line_parse(request, (struct slice){exchange->line, line.size});
    request->section = section;
    if (section != NULL && section->forwarding && conn_is_trusted(conn))
        believe_proxy(exchange);
    take_id(exchange);
    if (*status == 0 && section != NULL)
        *status = request_check(request);
    return exchange;
}

void exchange_forget(struct exchange *exchange)
{
    header_section_unref(exchange->request.section);
    body_fini(&exchange->body);
    response_fini(&exchange->response);
    if (exchange->line != exchange->inline_line)
        free(exchange->line);
    pool_give(&exchange->conn->loop->exchanges, exchange);
}

void exchange_ready(struct exchange *exchange)
{
    struct loop *loop = exchange->conn->loop;
    if (loop->answer_now != NULL && loop->answer_now(exchange)) {
        exchange_finish(exchange);
        return;
    }
    if (exchange->ready_ns == 0)
        exchange->ready_ns = loop_now(loop);
    loop_add_ready(loop, exchange);
}

/* Before the service stops, clients are told to use another connection. A balancer then asks
 * elsewhere. An idle connection that is closed without this could meet a request. */
static bool may_keep_alive(const struct exchange *exchange)
{
    const struct loop *loop = exchange->conn->loop;
    return !loop->unready && !loop->draining && loop->options->keep_alive > 0;
}

static struct slice current_date_line(void)
{
    static _Thread_local struct date_cache cache;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return date_line(&cache, now.tv_sec);
}

void exchange_head(struct exchange *exchange, bool known, uint64_t size)
{
    response_finish(&exchange->response, &exchange->request, may_keep_alive(exchange), known, size,
                    current_date_line());
    exchange->head_finished = true;
}

static void log_overrun(struct exchange *exchange)
{
    char text[TEXT_SIZE];
    if (!exchange->overrun)
        log_error("%s: the application sent more than its Content-Length of %" PRIu64 "; the rest is cut",
                  request_text(exchange, text), exchange->response.length);
    exchange->overrun = true;
}

/* How many of `size` more bytes the framing allows. */
static uint64_t allowed_size(struct exchange *exchange, uint64_t size)
{
    const struct response *response = &exchange->response;
    if (response->framing == RESPONSE_EMPTY)
        return 0;
    if (response->framing == RESPONSE_LENGTH && size > response->length - exchange->body_sent) {
        log_overrun(exchange);
        size = response->length - exchange->body_sent;
    }
    return size;
}

static int add_head(struct exchange *exchange, struct iovec *vectors)
{
    if (exchange->head_sent)
        return 0;
    vectors[0] = (struct iovec){exchange->response.head, exchange->response.size};
    return 1;
}

static int add_chunks(struct iovec *vectors, const struct slice *chunks, size_t count, uint64_t size)
{
    int n = 0;
    for (size_t i = 0; i < count && size > 0; i++) {
        size_t part = chunks[i].size < size ? chunks[i].size : (size_t)size;
        vectors[n++] = (struct iovec){(char *)chunks[i].data, part};
        size -= part;
    }
    return n;
}

static bool is_whole(const struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    if (response->framing == RESPONSE_LENGTH)
        return exchange->body_sent == response->length;
    return response->framing == RESPONSE_EMPTY || exchange->final_sent;
}

/* With the send claim, before a send of `size` bytes of content and `lines` bytes of chunk lines.
 * The head goes with it if it was not sent. True when they end the answer. */
static bool note_sending(struct exchange *exchange, uint64_t size, size_t lines)
{
    exchange->body_sent += size;
    exchange->lines_size += lines;
    if (!exchange->head_sent)
        exchange->head_size = exchange->response.size;
    bool whole = is_whole(exchange);
    if (whole && !exchange->conn->broken)
        count_answer(exchange, exchange->response.status);
    return whole;
}

/* Releases the send claim after a send. If the head was not sent, nothing was. */
static int note_sent(struct exchange *exchange, bool whole, int r)
{
    if (r == 0) {
        exchange->head_sent = true;
        exchange->whole_sent = whole;
        exchange->zero_sent = false;
    } else if (!exchange->head_sent && whole) {
        count_answer(exchange, STATUS_CLIENT_GONE);
    }
    send_claim_release(&exchange->claim);
    return r;
}

static int send_vectors(struct exchange *exchange, struct iovec *vectors, int count, uint64_t size,
                        size_t lines)
{
    if (count == 0)
        return 0;
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return -1;
    bool whole = note_sending(exchange, size, lines);
    return note_sent(exchange, whole, conn_send(exchange->conn, vectors, count));
}

/* The end of the connection ends such a body. No bytes are sent, and yet the answer is whole. */
static void note_end(struct exchange *exchange)
{
    if (send_claim_take(&exchange->claim, CLAIM_TAKEN))
        note_sent(exchange, note_sending(exchange, 0, 0), 0);
}

int exchange_send(struct exchange *exchange, const struct slice *chunks, size_t count)
{
    static char end[] = "\r\n";
    struct iovec vectors[SEND_VECTORS];
    char size_line[CHUNK_HEAD_MAX];
    uint64_t size = 0;
    size_t lines = 0;
    assert(count <= EXCHANGE_CHUNKS);
    for (size_t i = 0; i < count; i++)
        size += chunks[i].size;
    size = allowed_size(exchange, size);
    int n = add_head(exchange, vectors);
    bool chunked = exchange->response.framing == RESPONSE_CHUNKED && size > 0;
    if (chunked) {
        lines = chunk_head(size_line, size);
        vectors[n++] = (struct iovec){size_line, lines};
        lines += sizeof(end) - 1;
    }
    n += add_chunks(vectors + n, chunks, count, size);
    if (chunked)
        vectors[n++] = (struct iovec){end, sizeof(end) - 1};
    return send_vectors(exchange, vectors, n, size, lines);
}

int exchange_send_file(struct exchange *exchange, int fd, off_t *offset, uint64_t *size)
{
    struct iovec vector;
    struct conn *conn = exchange->conn;
    int head = add_head(exchange, &vector);
    *size = allowed_size(exchange, *size);
    assert(exchange->response.framing != RESPONSE_CHUNKED);
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return -1;
    bool whole = note_sending(exchange, *size, 0);
    int r = head > 0 ? conn_send(conn, &vector, head) : 0;
    if (r == 0 && *size > 0) {
        exchange->head_sent = true;
        r = conn_send_file(conn, fd, offset, size);
    }
    exchange->body_sent -= *size;
    return note_sent(exchange, whole && (r < 0 || *size == 0), r);
}

bool exchange_wants_more(const struct exchange *exchange)
{
    return exchange->response.framing != RESPONSE_EMPTY && !exchange->overrun;
}

/* An answer is queued. Needs the send claim, because the loop may take the connection away. */
static bool __attribute__((cold)) waits_too_much(struct exchange *exchange)
{
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return false;
    bool full = exchange->whole_sent ? conn_is_refused(exchange->conn) : conn_is_full(exchange->conn);
    send_claim_release(&exchange->claim);
    return full;
}

bool exchange_is_full(struct exchange *exchange)
{
    return exchange->conn->output != NULL && waits_too_much(exchange);
}

int exchange_wait(struct exchange *exchange)
{
    struct conn_wait wait;
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return -1;
    bool waits = conn_prepare_wait(exchange->conn, &wait);
    send_claim_release(&exchange->claim);
    return waits ? conn_wait(exchange->conn, &wait) : 0;
}

/* The ending after a whole answer. */
static enum ending ending_of(const struct exchange *exchange)
{
    if (exchange->response.keep_alive)
        return ENDING_KEEP_ALIVE;
    return request_keep_alive(&exchange->request) ? ENDING_LINGER : ENDING_CLOSE;
}

/* With the send claim, which is never released again. */
static void set_ending(struct exchange *exchange, enum ending ending)
{
    exchange->ending = ending;
}

/* A call that lasted has returned. */
static void forget_lasting(struct conn *conn, const struct exchange *exchange)
{
    struct exchange **link = &conn->loop->lasting_first;
    while (*link != exchange)
        link = &(*link)->next_lasting;
    *link = exchange->next_lasting;
    conn->loop->lasting--;
}

/* The last `unsent` bytes of `content` and `lines` were not sent. The places of the lines among
 * them are not known: see exchange_sent. */
static uint64_t content_sent(uint64_t content, uint64_t lines, uint64_t unsent)
{
    uint64_t given = content + lines;
    uint64_t sent = given > unsent ? given - unsent : 0;
    return lines == 0 || sent == 0 ? sent : sent - (uint64_t)((double)sent / (double)given * (double)lines);
}

/* Notes how much of the answer was sent. The connection still belongs to the exchange. */
static void note_unsent(struct exchange *exchange)
{
    uint64_t unsent = conn_unsent(exchange->conn);
    bool late = exchange->late_status != 0;
    int *status = late ? &exchange->late_status : &exchange->response.status;
    uint64_t *size = late ? &exchange->late_size : &exchange->body_sent;
    if (unsent == 0)
        return;
    if (unsent >= exchange->head_size + *size + exchange->lines_size)
        *status = STATUS_CLIENT_GONE;
    *size = content_sent(*size, exchange->lines_size, unsent);
}

/* The answer is as complete as it will be: sent, queued, or lost. */
static void end_sending(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    if (conn->output != NULL)
        conn->sending = exchange;
    else if (conn->lost > 0)
        note_unsent(exchange);
}

/* The fate of the exchange is known: it is counted and logged. */
static void record_exchange(struct exchange *exchange)
{
    struct loop *loop = exchange->conn->loop;
    count_answer(exchange, exchange->late_status != 0 ? exchange->late_status : exchange->response.status);
    if (loop->answered != NULL)
        loop->answered(loop->answered_context, exchange);
}

void exchange_sent(struct conn *conn)
{
    struct exchange *exchange = conn->sending;
    if (exchange == NULL)
        return;
    conn->sending = NULL;
    note_unsent(exchange);
    if (exchange->finished) {
        record_exchange(exchange);
        exchange_forget(exchange);
    }
}

void exchange_finish(struct exchange *exchange)
{
    struct conn *conn = exchange->conn;
    enum ending ending = exchange->ending;
    bool let_go = exchange->let_go;
    void (*done)(struct conn * conn, enum ending ending) = exchange->done;
    exchange->duration_ns = count_end(exchange);
    exchange->finished = true;
    if (let_go) {
        forget_lasting(conn, exchange);
    } else {
        conn->resetting = exchange->cut;
        end_sending(exchange);
    }
    if (conn->sending != exchange) {
        record_exchange(exchange);
        exchange_forget(exchange);
    }
    if (let_go)
        conn_unpin(conn);
    else
        done(conn, ending);
}

void exchange_finish_later(struct exchange *exchange)
{
    loop_finish_later(exchange->conn->loop, exchange);
}

void exchange_flush(struct exchange *exchange)
{
    static char final[] = "0\r\n\r\n";
    struct iovec vectors[2];
    if (exchange->final_sent)
        return;
    int n = add_head(exchange, vectors);
    bool chunked = exchange->response.framing == RESPONSE_CHUNKED;
    if (chunked)
        vectors[n++] = (struct iovec){final, sizeof(final) - 1};
    exchange->final_sent = true;
    if (n > 0)
        send_vectors(exchange, vectors, n, 0, chunked ? sizeof(final) - 1 : 0);
    else if (exchange->response.framing == RESPONSE_CLOSE)
        note_end(exchange);
}

void exchange_end(struct exchange *exchange)
{
    const struct response *response = &exchange->response;
    exchange_flush(exchange);
    if (!exchange->head_sent) {
        exchange_cut(exchange);
        return;
    }
    if (response->framing == RESPONSE_LENGTH && exchange->body_sent < response->length) {
        char text[TEXT_SIZE];
        log_error("%s: the application sent %" PRIu64 " bytes of its Content-Length of %" PRIu64
                  "; the connection is closed",
                  request_text(exchange, text), exchange->body_sent, response->length);
        exchange_cut(exchange);
        return;
    }
    if (send_claim_take(&exchange->claim, CLAIM_TAKEN))
        set_ending(exchange, ending_of(exchange));
}

/* Sends a whole answer of the server, in `response`. Returns the size of its body. */
static uint64_t send_error(struct exchange *exchange, struct response *response, int status, bool keep_alive)
{
    const struct request *request = exchange->request.method.size > 0 ? &exchange->request : NULL;
    response_error(response, status, request, keep_alive, current_date_line());
    count_answer(exchange, status);
    struct iovec vector = {response->head, response->size};
    uint64_t size = response->framing == RESPONSE_LENGTH ? response->length : 0;
    exchange->head_size = response->size - size;
    conn_send(exchange->conn, &vector, 1);
    return size;
}

void exchange_fail(struct exchange *exchange, int status, bool keep_alive)
{
    if (exchange->head_sent || exchange->conn->broken) {
        exchange_cut(exchange);
        return;
    }
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return;
    exchange->body_sent =
        send_error(exchange, &exchange->response, status, keep_alive && may_keep_alive(exchange));
    exchange->head_sent = true;
    set_ending(exchange, keep_alive ? ending_of(exchange) : ENDING_LINGER);
}

/* With the send claim. True when only a reset tells the client that the answer is not whole. Then
 * there is neither a length nor a chunk, or a zero may look like the last chunk. */
static bool only_reset_tells(const struct exchange *exchange)
{
    return exchange->head_sent && (exchange->response.framing == RESPONSE_CLOSE || exchange->zero_sent);
}

/* Output that was sent before, of other answers too, still reaches the client, unless a reset is
 * needed. */
void exchange_cut(struct exchange *exchange)
{
    if (!send_claim_take(&exchange->claim, CLAIM_TAKEN))
        return;
    if (!exchange->head_sent)
        exchange->response.status = STATUS_CLIENT_GONE;
    exchange->cut = only_reset_tells(exchange);
    set_ending(exchange, exchange->cut ? ENDING_CLOSE : ENDING_LINGER);
}

/* This answer has a response of its own, because the thread may be writing into the exchange's. */
static void answer_late(struct exchange *exchange, int status)
{
    struct response response;
    if (exchange->conn->broken) {
        exchange->late_status = STATUS_CLIENT_GONE;
        return;
    }
    response_init(&response);
    exchange->late_size = send_error(exchange, &response, status, false);
    exchange->late_status = status;
    scoreboard_add(exchange->conn->loop->row->refused[REFUSAL_TIMEOUT], 1);
    response_fini(&response);
}

/* The call goes on, and its connection stops waiting for it. */
static void let_call_go(struct exchange *exchange, enum ending ending)
{
    struct conn *conn = exchange->conn;
    exchange->let_go = true;
    end_sending(exchange);
    exchange->next_lasting = conn->loop->lasting_first;
    conn->loop->lasting_first = exchange;
    conn->loop->lasting++;
    conn_take_away(conn);
    conn->resetting = false;
    exchange->done(conn, ending);
}

bool exchange_preempt(struct exchange *exchange, int status)
{
    enum ending ending = ENDING_LINGER;
    if (!send_claim_take(&exchange->claim, CLAIM_REVOKED))
        return false;
    exchange->preempted_ns = clock_ns();
    if (exchange->whole_sent)
        ending = ending_of(exchange);
    else if (!exchange->head_sent)
        answer_late(exchange, status);
    else if (only_reset_tells(exchange))
        conn_cut(exchange->conn);
    let_call_go(exchange, ending);
    return true;
}

bool exchange_is_torn(const struct exchange *exchange)
{
    return exchange->late_status == 0 && only_reset_tells(exchange) &&
           !(exchange->whole_sent && conn_is_drained(exchange->conn));
}

void exchange_record_lasting(const struct loop *loop)
{
    for (struct exchange *exchange = loop->lasting_first; exchange != NULL;
         exchange = exchange->next_lasting) {
        exchange->duration_ns = count_end(exchange);
        record_exchange(exchange);
    }
}

/* Revokes the claim, which a thread may have for a send. A send never blocks. It takes some
 * milliseconds when a large block goes to a spool. */
static bool revoke_claim_soon(struct exchange *exchange)
{
    enum { TRIES = 100, PAUSE_US = 1000 };
    for (int i = 0; i < TRIES; i++) {
        if (send_claim_take(&exchange->claim, CLAIM_REVOKED))
            return true;
        usleep(PAUSE_US);
    }
    return false;
}

bool exchange_abandon(struct exchange *exchange)
{
    if (!revoke_claim_soon(exchange)) {
        /* The number of bytes that its thread has sent is not known. */
        exchange->late_status = STATUS_CLIENT_GONE;
        exchange->duration_ns = count_end(exchange);
        record_exchange(exchange);
        return true;
    }
    conn_take_away(exchange->conn);
    if (!exchange->head_sent)
        exchange->late_status = STATUS_CLIENT_GONE;
    bool torn = exchange_is_torn(exchange);
    note_unsent(exchange);
    exchange->duration_ns = count_end(exchange);
    record_exchange(exchange);
    return torn;
}

bool exchange_was_preempted(const struct exchange *exchange)
{
    return send_claim_is_revoked(&exchange->claim);
}

/* Before the head: an interim answer (RFC 9110 15.2). Between two chunks: a zero in front of the
 * next size, even of the last (RFC 9112 7.1). Within a body with a length nothing is needed: its
 * next bytes ask. */
static struct slice question(const struct exchange *exchange)
{
    if (!exchange->head_sent)
        return SLICE("HTTP/1.1 100 Continue\r\n\r\n");
    if (exchange->response.framing == RESPONSE_CHUNKED && !exchange->whole_sent)
        return SLICE("0");
    return (struct slice){NULL, 0};
}

void exchange_ask(struct exchange *exchange)
{
    if (!send_claim_take(&exchange->claim, CLAIM_BORROWED))
        return; /* the bytes that the thread is sending ask as well */
    struct slice bytes = question(exchange);
    struct iovec vector = {(char *)bytes.data, bytes.size};
    if (bytes.size > 0)
        conn_send(exchange->conn, &vector, 1);
    exchange->zero_sent = bytes.size > 0 && exchange->head_sent;
    exchange->lines_size += exchange->zero_sent ? bytes.size : 0;
    send_claim_release(&exchange->claim);
}
