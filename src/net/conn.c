/* A connection: a socket, its event, and the output that is not sent yet. */
#include "net/conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/spool.h"
#include "net/exchange.h"
#include "net/handover.h"

static void tell_shorter_file(void)
{
    log_limited(LOG_FILE, LOG_ERROR, "a file became shorter while it was being sent; the connection is cut");
}

/* Sends as much queued output as the socket accepts. The caller holds the lock of `output`. 0, or
 * -1 when the connection broke. */
static int send_output(struct conn *conn, struct output *output, uint64_t *sent)
{
    uint64_t before = *sent;
    if (conn->broken)
        return -1;
    int r = output_drain(output, conn->fd, sent);
    if (*sent > before)
        scoreboard_count(conn->loop->row->sent, *sent - before);
    if (r == 0)
        return 0;
    if (errno == EIO)
        tell_shorter_file();
    conn->broken = true;
    return -1;
}

void conn_drain(struct conn *conn)
{
    struct output *output = conn->output;
    uint64_t sent = 0;
    if (output == NULL)
        return;
    output_lock(output);
    send_output(conn, output, &sent);
    output_unlock(output);
    if (sent > 0 || conn->broken)
        conn->protocol->drained(conn);
}

static void event_happened(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    struct conn *conn = arg;
    if (what & EV_CLOSED)
        conn->ended = true;
    /* Most events say only that the socket can be written to. */
    if ((what & EV_WRITE) && conn->output != NULL && !conn->closing)
        conn_drain(conn);
    if (what & (EV_READ | EV_CLOSED)) {
        conn->readable = true;
        if (!conn->closing)
            conn->protocol->readable(conn);
    }
}

void conn_watch(struct conn *conn)
{
    if (conn->watched)
        return;
    loop_watch(&conn->event);
    conn->watched = true;
}

enum conn_peer conn_peer(const struct conn *conn)
{
    struct pollfd state = {.fd = conn->fd, .events = POLLRDHUP};
    if (poll(&state, 1, 0) <= 0)
        return PEER_THERE;
    return state.revents & (POLLERR | POLLHUP | POLLNVAL) ? PEER_GONE : PEER_ENDED;
}

bool conn_is_unix(const struct conn *conn)
{
    int domain = AF_UNSPEC;
    socklen_t size = sizeof(domain);
    return getsockopt(conn->fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX;
}

bool conn_is_trusted(struct conn *conn)
{
    if (!conn->judged)
        conn->trusted = !conn->unnamed && networks_have_peer(&conn->loop->trusted, conn->peer.address);
    conn->judged = true;
    return conn->trusted;
}

/* A fork in another thread may come between any two steps. So the list can be walked forward at any
 * time, and holds no closed descriptor. */
static void conn_link(struct conn *conn)
{
    struct loop *loop = conn->loop;
    conn->next_open = loop->open;
    conn->open_link = &loop->open;
    if (loop->open != NULL)
        loop->open->open_link = &conn->next_open;
    __atomic_store_n(&loop->open, conn, __ATOMIC_RELEASE);
}

static void conn_unlink(struct conn *conn)
{
    if (conn->next_open != NULL)
        conn->next_open->open_link = conn->open_link;
    __atomic_store_n(conn->open_link, conn->next_open, __ATOMIC_RELEASE);
    atomic_signal_fence(memory_order_seq_cst);
}

static struct conn *open_conn(struct loop *loop, const struct protocol *protocol, int fd,
                              const struct local_endpoint *local, const struct peer_endpoint *peer)
{
    struct conn *conn = pool_take(&loop->connections);
    memset(conn, 0, protocol->size);
    conn->loop = loop;
    conn->protocol = protocol;
    conn->local = local;
    conn->fd = fd;
    conn->peer = *peer;
    event_assign(&conn->event, loop->base, fd, EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
                 event_happened, conn);
    conn_link(conn);
    loop->open_count++;
    scoreboard_set(loop->row->connections, (uint32_t)loop->open_count);
    protocol->open(conn);
    return conn;
}

void conn_accept(struct loop *loop, const struct protocol *protocol, int fd,
                 const struct local_endpoint *local, const struct peer_endpoint *peer)
{
    struct conn *conn = open_conn(loop, protocol, fd, local, peer);
    scoreboard_add(loop->row->accepted, 1);
    conn->readable = true;
    protocol->readable(conn);
}

void conn_adopt(struct loop *loop, const struct protocol *protocol, const struct local_endpoint *local,
                const struct parcel *parcel, const char *bytes)
{
    struct conn *conn = open_conn(loop, protocol, parcel->fd, local, &parcel->peer);
    conn->arrived = true;
    conn->readable = true;
    protocol->unpack(conn, parcel, bytes);
    conn_defer(conn);
}

struct slice conn_receive(struct conn *conn)
{
    char *scratch = conn->loop->scratch;
    ssize_t n;
    do
        n = recv(conn->fd, scratch, LOOP_SCRATCH_SIZE, 0);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        scoreboard_add(conn->loop->row->received, (uint64_t)n);
        /* A short read drained the socket, unless its end is due: that edge has come already. */
        if (n < LOOP_SCRATCH_SIZE && !conn->ended)
            conn->readable = false;
        return (struct slice){scratch, (size_t)n};
    }
    conn->readable = false;
    if (n == 0 || errno != EAGAIN)
        conn->ended = true;
    if (n < 0 && errno != EAGAIN)
        conn->broken = true;
    return (struct slice){scratch, 0};
}

void conn_look_again(struct conn *conn)
{
    /* A connection that is not watched yet still gets its first edge. */
    if (conn->watched)
        conn->readable = true;
}

/* Steps over `n` sent bytes. */
static void skip_sent(struct msghdr *message, size_t n)
{
    struct iovec *next = message->msg_iov, *end = next + message->msg_iovlen;
    for (; next < end && n >= next->iov_len; next++)
        n -= next->iov_len;
    if (next < end) {
        next->iov_base = (char *)next->iov_base + n;
        next->iov_len -= n;
    }
    message->msg_iov = next;
    message->msg_iovlen = (size_t)(end - next);
}

/* The rest of a message is never sent. */
static void conn_lose(struct conn *conn, const struct msghdr *rest)
{
    for (size_t i = 0; i < rest->msg_iovlen; i++)
        conn->lost += rest->msg_iov[i].iov_len;
}

/* Nothing is lost: the application waits. */
static void note_refusal(const struct conn *conn, int error)
{
    if (error != 0)
        log_limited(
            LOG_ANSWER_SPOOL, LOG_ERROR,
            "an answer to a slow client could not be kept in %s: %s; the application waits for such clients",
            conn->loop->output_limits.tmp_dir, spool_strerror(error));
}

/* Sends as much as the socket accepts. The message becomes the rest. 0, or -1 when the connection
 * broke. */
static int send_directly(struct conn *conn, struct msghdr *message)
{
    while (message->msg_iovlen > 0) {
        ssize_t n = sendmsg(conn->fd, message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return 0;
        if (n < 0) {
            conn->broken = true;
            conn_lose(conn, message);
            return -1;
        }
        scoreboard_count(conn->loop->row->sent, (uint64_t)n);
        skip_sent(message, (size_t)n);
    }
    return 0;
}

/* From here on the loop drains the output. Sending at once makes up for an edge that the loop may
 * have missed before. */
static int publish_output(struct conn *conn, struct output *output)
{
    uint64_t sent = 0;
    output_lock(output);
    conn->output = output;
    int r = send_output(conn, output, &sent);
    output_unlock(output);
    return r;
}

static int keep_rest(struct conn *conn, const struct msghdr *rest)
{
    struct output *output = output_new(&conn->loop->output_limits);
    note_refusal(conn, output_append(output, rest->msg_iov, (int)rest->msg_iovlen));
    return publish_output(conn, output);
}

/* Queued output goes first. A client that has caught up then gets each block at once. */
static int send_behind(struct conn *conn, struct output *output, struct msghdr *message)
{
    uint64_t sent = 0;
    output_lock(output);
    int r = send_output(conn, output, &sent);
    if (r < 0)
        conn_lose(conn, message);
    else if (output_is_empty(output))
        r = send_directly(conn, message);
    if (r == 0 && message->msg_iovlen > 0)
        note_refusal(conn, output_append(output, message->msg_iov, (int)message->msg_iovlen));
    output_unlock(output);
    return r;
}

int conn_send(struct conn *conn, struct iovec *vectors, int count)
{
    struct output *output = conn->output;
    struct msghdr message = {.msg_iov = vectors, .msg_iovlen = (size_t)count};
    if (conn->broken) {
        conn_lose(conn, &message);
        return -1;
    }
    if (output != NULL)
        return send_behind(conn, output, &message);
    if (send_directly(conn, &message) < 0)
        return -1;
    return message.msg_iovlen > 0 ? keep_rest(conn, &message) : 0;
}

/* The output borrows the descriptor while the lock is held. It needs one of its own only for the
 * part that the socket does not accept. */
static int offer_file(struct conn *conn, struct output *output, int file, off_t *offset, uint64_t *size)
{
    uint64_t sent = 0;
    output_lock(output);
    output_lend_file(output, file, *offset, *size);
    conn->output = output;
    int r = send_output(conn, output, &sent);
    if (output_keep_file(output) == 0 || r < 0)
        *size = 0;
    else
        output_take_back_file(output, offset, size);
    output_unlock(output);
    return r;
}

/* There is no descriptor left for the file: a copy of its next block is queued. */
static int send_block(struct conn *conn, int file, off_t *offset, uint64_t *size)
{
    enum { BLOCK_SIZE = 1 << 16 };
    struct iovec block = {.iov_len = *size < BLOCK_SIZE ? (size_t)*size : BLOCK_SIZE};
    block.iov_base = xmalloc(block.iov_len);
    void *copy = block.iov_base;
    ssize_t n;
    do
        n = pread(file, copy, block.iov_len, *offset);
    while (n < 0 && errno == EINTR);
    int r = -1;
    if (n > 0) {
        block.iov_len = (size_t)n;
        *offset += n;
        *size -= (uint64_t)n;
        r = conn_send(conn, &block, 1);
    } else {
        if (n == 0)
            tell_shorter_file();
        else
            log_limited(LOG_FILE, LOG_ERROR, "a file could not be sent: %s; the connection is cut",
                        strerror(errno));
        conn->broken = true;
    }
    free(copy);
    return r;
}

int conn_send_file(struct conn *conn, int file, off_t *offset, uint64_t *size)
{
    struct output *output = conn->output;
    int r = -1;
    if (!conn->broken)
        r = offer_file(conn, output != NULL ? output : output_new(&conn->loop->output_limits), file, offset,
                       size);
    if (r == 0 && *size > 0)
        r = send_block(conn, file, offset, size);
    return r;
}

bool conn_is_full(const struct conn *conn)
{
    struct output *output = conn->output;
    if (output == NULL)
        return false;
    output_lock(output);
    bool full = output_is_full(output);
    output_unlock(output);
    return full;
}

bool conn_is_refused(const struct conn *conn)
{
    struct output *output = conn->output;
    if (output == NULL)
        return false;
    output_lock(output);
    bool refused = output_is_refused(output);
    output_unlock(output);
    return refused;
}

bool conn_is_drained(const struct conn *conn)
{
    struct output *output = conn->output;
    return output == NULL || output_is_empty(output);
}

uint64_t conn_unsent(const struct conn *conn)
{
    const struct output *output = conn->output;
    return conn->lost + (output != NULL ? output_left(output) : 0);
}

void conn_trim(struct conn *conn)
{
    exchange_sent(conn);
    output_free(conn->output);
    conn->output = NULL;
}

bool conn_prepare_wait(struct conn *conn, struct conn_wait *wait)
{
    *wait = (struct conn_wait){conn->output, conn->fd};
    if (wait->output == NULL)
        return false;
    output_hold(wait->output);
    return true;
}

enum room { ROOM_NONE, ROOM_THERE, ROOM_NEVER };

/* Sends as much as the socket accepts. The loop cannot take the connection away while the lock is
 * held. After that the connection is the loop's. */
static enum room make_room(struct conn *conn, struct output *output, bool give_up)
{
    uint64_t sent = 0;
    enum room room = ROOM_NEVER;
    output_lock(output);
    if (!output_is_abandoned(output) && !conn->broken) {
        if (give_up)
            conn->broken = true;
        else if (send_output(conn, output, &sent) == 0)
            room = output_is_full(output) ? ROOM_NONE : ROOM_THERE;
    }
    output_unlock(output);
    return room;
}

int conn_wait(struct conn *conn, const struct conn_wait *wait)
{
    enum { STEP_MS = 100 }; /* until the thread sees that the connection was taken away: that wakes no poll */
    const uint64_t timeout = (uint64_t)conn->loop->options->write_timeout;
    uint64_t since = clock_ms();
    bool give_up = false;
    enum room room;
    while ((room = make_room(conn, wait->output, give_up)) == ROOM_NONE) {
        struct pollfd poll_for = {.fd = wait->fd, .events = POLLOUT};
        if (poll(&poll_for, 1, STEP_MS) > 0)
            since = clock_ms();
        else
            give_up = timeout > 0 && clock_ms() - since >= timeout;
    }
    output_release(wait->output);
    return room == ROOM_THERE ? 0 : -1;
}

void conn_defer(struct conn *conn)
{
    if (conn->deferring)
        return;
    conn->deferring = true;
    conn->next_deferred = conn->loop->deferred;
    conn->loop->deferred = conn;
}

void conn_close(struct conn *conn)
{
    conn->closing = true;
    timeout_clear(&conn->timeout);
    conn_defer(conn);
}

void conn_shut(struct conn *conn)
{
    if (shutdown(conn->fd, SHUT_WR) < 0)
        conn->broken = true;
}

/* Makes the close a reset, or resets the connection here with `now`. */
static void conn_reset(struct conn *conn, bool now)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    if (now && connect(conn->fd, &nobody, sizeof(nobody)) < 0)
        shutdown(conn->fd, SHUT_RDWR);
}

/* A client that starts to read again must not take a part of the answer for the whole. */
static void end_stream(struct conn *conn, bool whole)
{
    bool shared = conn->loop->has_forked != NULL && *conn->loop->has_forked;
    if (!whole)
        conn_reset(conn, shared);
    else if (shared)
        shutdown(conn->fd, SHUT_RDWR);
}

void conn_cut(struct conn *conn)
{
    struct output *output = conn->output; /* the thread may be draining it (conn_wait) */
    conn->broken = true;
    if (output != NULL)
        output_lock(output);
    conn_reset(conn, true);
    if (output != NULL)
        output_unlock(output);
}

static bool is_torn(struct conn *conn)
{
    struct exchange *exchange = conn->protocol->exchange(conn);
    if (exchange != NULL)
        return exchange_abandon(exchange);
    return conn->resetting || (conn->sending != NULL && exchange_is_torn(conn->sending));
}

/* Closing a socket with unread input sends a reset, which destroys output on its way. */
static void discard_input(const struct conn *conn)
{
    enum { READS_MAX = 64 };
    for (int i = 0; i < READS_MAX && recv(conn->fd, conn->loop->scratch, LOOP_SCRATCH_SIZE, 0) > 0; i++)
        ;
}

void conn_abandon(struct conn *conn)
{
    bool torn = is_torn(conn);
    exchange_sent(conn);
    if (conn->given)
        return;
    if (torn) {
        end_stream(conn, false);
        return;
    }
    discard_input(conn);
    shutdown(conn->fd, SHUT_RDWR);
}

void conn_hang_up(struct conn *conn)
{
    conn_abandon(conn);
    conn_unlink(conn);
    close(conn->fd);
}

void conn_take_away(struct conn *conn)
{
    struct output *output = conn->output;
    conn->pins++;
    if (output == NULL)
        return;
    output_lock(output);
    output_abandon(output);
    output_unlock(output);
}

void conn_unpin(struct conn *conn)
{
    if (--conn->pins == 0 && conn->fd < 0)
        pool_give(&conn->loop->connections, conn);
}

static void conn_free(struct conn *conn)
{
    struct loop *loop = conn->loop;
    timeout_clear(&conn->timeout);
    conn->protocol->free(conn);
    if (conn->watched)
        event_del(&conn->event);
    exchange_sent(conn);
    conn_unlink(conn);
    if (!conn->given)
        end_stream(conn, !conn->resetting && conn_is_drained(conn));
    close(conn->fd);
    conn->fd = -1;
    conn_trim(conn);
    if (conn->pins == 0)
        pool_give(&loop->connections, conn);
    loop->open_count--;
    scoreboard_set(loop->row->connections, (uint32_t)loop->open_count);
    if (loop->accepting_paused && loop->open_count < loop->open_limit && loop->on_room != NULL)
        loop->on_room(loop->on_room_context);
}

void conn_run_deferred(struct conn *conn)
{
    struct handover *handover = conn->loop->handover;
    conn->deferring = false;
    if (conn->closing || (handover != NULL && handover_offer(handover, conn))) {
        conn_free(conn);
        return;
    }
    if (handover == NULL)
        conn->placed = true;
    conn_watch(conn);
    conn->protocol->readable(conn);
}

struct conn *conn_of_timeout(struct timeout *timeout)
{
    return (struct conn *)((char *)timeout - offsetof(struct conn, timeout));
}
