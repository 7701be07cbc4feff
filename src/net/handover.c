/* Hand-over of connections between workers. */
#include "net/handover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "net/h1.h"
#include "net/timers.h"

enum {
    BURST_MAX = 16,  /* parcels taken in one callback */
    AGAIN_MS = 5,    /* until a worker may have an idle thread, or room in its transfer socket */
    EACH = 16,       /* requests that an idle thread gets */
    LEVEL_MS = 100,  /* between placing connections and comparing their numbers */
    RESUME_MS = 100, /* until there may be room for the parcels that wait */
    SLACK = 256,     /* numbers count as level when they differ by less than this part */
};

struct transfer_in {
    struct handover *handover;
    unsigned slot;
    struct event *event; /* NULL: this worker does not read there at present */
};

struct handover {
    struct loop *loop;
    struct handover_setup setup;
    struct timer *again, *level, *resume;
    size_t surplus;                   /* idle connections whose worker is chosen once more */
    char *bytes;                      /* PARCEL_MAX bytes, for the parcel that is being taken */
    struct transfer_in transfer_in[]; /* one per slot */
};

/* Parcels in the transfer socket of a slot. Senders add and readers subtract: the number is
 * approximate. */
static _Atomic uint32_t *in_transfer(const struct handover *handover, unsigned slot)
{
    return &handover->setup.board->rows[slot * handover->setup.seats].in_transfer;
}

/* The count is negative when a parcel was read before its sender added it. */
static unsigned parcels_in_transfer(const struct handover *handover, unsigned slot)
{
    int32_t count = (int32_t)atomic_load_explicit(in_transfer(handover, slot), memory_order_relaxed);
    return count > 0 ? (unsigned)count : 0;
}

/* The row of the slot's worker if that takes connections, or NULL. Its number is in *number. */
static const struct scoreboard_row *serving_row(const struct handover *handover, unsigned slot,
                                                unsigned *number)
{
    unsigned first = slot * handover->setup.seats;
    if (scoreboard_get(handover->setup.board->rows[first].left_unserved) != 0)
        return NULL;
    for (unsigned seat = 0; seat < handover->setup.seats; seat++) {
        *number = first + seat;
        const struct scoreboard_row *row = &handover->setup.board->rows[*number];
        if (scoreboard_get(row->state) == WORKER_READY)
            return scoreboard_get(row->intake) == INTAKE_OPEN ? row : NULL;
    }
    return NULL;
}

static unsigned connections_of(const struct handover *handover, unsigned slot)
{
    unsigned number;
    const struct scoreboard_row *row = serving_row(handover, slot, &number);
    return row == NULL ? UINT32_MAX : scoreboard_get(row->connections) + parcels_in_transfer(handover, slot);
}

/* Requests that the slot's worker can have now: several for each idle thread. Most calls are short,
 * and a request behind a long call is sent on. With one request at a time a queue would shrink by
 * one per look. */
static unsigned room_of(const struct handover *handover, unsigned slot)
{
    unsigned number;
    const struct scoreboard_row *row = serving_row(handover, slot, &number);
    if (row == NULL || scoreboard_get(row->connections) >= handover->loop->open_limit)
        return 0;
    uint32_t idle = handover->setup.board->threads - scoreboard_busy(handover->setup.board, number);
    unsigned waiting = scoreboard_get(row->ready) + parcels_in_transfer(handover, slot);
    return waiting < idle * EACH ? idle * EACH - waiting : 0;
}

/* The best of the other slots by `value`, where less is better. Ours when none is better than
 * `bound`. */
static unsigned find_slot(const struct handover *handover, uint64_t bound,
                          uint64_t (*value)(const struct handover *handover, unsigned slot))
{
    unsigned best = handover->setup.slot;
    for (unsigned i = 1; i < handover->setup.slots; i++) {
        unsigned slot = (handover->setup.slot + i) % handover->setup.slots;
        uint64_t found = value(handover, slot);
        if (found < bound) {
            bound = found;
            best = slot;
        }
    }
    return best;
}

static uint64_t fullness(const struct handover *handover, unsigned slot)
{
    return connections_of(handover, slot);
}

static uint64_t busyness(const struct handover *handover, unsigned slot)
{
    return UINT32_MAX - (uint64_t)room_of(handover, slot);
}

static unsigned index_of(const struct handover *handover, const struct local_endpoint *local)
{
    size_t i = 0;
    while (i + 1 < handover->setup.address_count && &handover->setup.addresses[i].local != local)
        i++;
    return (unsigned)i;
}

/* 0: the other worker has the connection, and the rest of it here is to be freed. -1 and errno: it
 * stays. */
static int send_to(struct handover *handover, unsigned slot, struct conn *conn, enum handover_reason reason)
{
    struct iovec pieces[PARCEL_PIECES];
    struct parcel parcel = {.fd = conn->fd,
                            .reason = reason,
                            .address = index_of(handover, conn->local),
                            .peer = conn->peer,
                            .spool = -1};
    int count = conn->protocol->pack(conn, &parcel, pieces);
    if (count < 0) {
        errno = EBUSY;
        return -1;
    }
    atomic_fetch_add_explicit(in_transfer(handover, slot), 1, memory_order_relaxed);
    if (parcel_send(handover->setup.transfer_out[slot], &parcel, pieces, count) < 0) {
        atomic_fetch_sub_explicit(in_transfer(handover, slot), 1, memory_order_relaxed);
        return -1;
    }
    scoreboard_add(handover->loop->row->handed_over[reason], 1);
    conn->protocol->moved(conn);
    conn->given = true;
    return 0;
}

static bool retire_conn(struct handover *handover, struct conn *conn)
{
    if (send_to(handover, handover->setup.slot, conn, HANDOVER_RETIRE) == 0)
        return true;
    if (errno != EBUSY && errno != EMSGSIZE)
        timer_set(handover->again, AGAIN_MS);
    return false;
}

/* Only a connection that stays is worth a move: one that ends with its first answer is never
 * deferred. A connection from another worker stays, or two workers might send it to and fro. A
 * connection that cannot be sent now, in the middle of a request, is asked about again. */
static bool balance_conn(struct handover *handover, struct conn *conn)
{
    unsigned slot = handover->setup.slot;
    if (conn->placed)
        return false;
    timer_set(handover->level, LEVEL_MS);
    if (!conn->arrived && handover->loop->open_count >= 2)
        slot = find_slot(handover, handover->loop->open_count - 1, fullness);
    conn->placed = slot == handover->setup.slot;
    return !conn->placed && send_to(handover, slot, conn, HANDOVER_BALANCE) == 0;
}

static void place_anew(struct timeout *timeout)
{
    struct conn *conn = conn_of_timeout(timeout);
    struct handover *handover = conn->loop->handover;
    if (handover->surplus == 0)
        return;
    handover->surplus--;
    conn->placed = conn->arrived = false;
    conn_defer(conn);
}

/* In a rush, connections are placed by the number that others have accepted. Those that still wait
 * to be accepted there do not count. When the rush is over, a worker with clearly more than
 * another, and more than the mean, places its surplus once more. */
static void compare_numbers(void *context)
{
    struct handover *handover = context;
    uint64_t mine = handover->loop->open_count, sum = mine, fewest = mine, count = 1;
    if (handover->loop->draining || handover->loop->retiring)
        return;
    for (unsigned slot = 0; slot < handover->setup.slots; slot++) {
        uint64_t found = connections_of(handover, slot);
        if (slot == handover->setup.slot || found == UINT32_MAX)
            continue;
        fewest = found < fewest ? found : fewest;
        sum += found;
        count++;
    }
    if (mine <= fewest + 1 + fewest / SLACK || mine * count <= sum)
        return;
    handover->surplus = (mine * count - sum + count - 1) / count;
    timeouts_each(handover->loop->timeouts, TIMEOUT_KEEP_ALIVE, place_anew);
}

bool handover_offer(struct handover *handover, struct conn *conn)
{
    if (handover->loop->retiring)
        return retire_conn(handover, conn);
    return !handover->loop->draining && balance_conn(handover, conn);
}

/* The slot for a request that no thread here can start. Our own slot has a successor, or nothing
 * better is known. */
static unsigned find_thread(const struct handover *handover)
{
    if (handover->loop->retiring)
        return handover->setup.slot;
    return find_slot(handover, UINT32_MAX, busyness);
}

void handover_ship(struct handover *handover)
{
    struct exchange *exchange = handover->loop->ready_first, *next;
    enum handover_reason reason = handover->loop->retiring ? HANDOVER_RETIRE : HANDOVER_BUSY;
    if (handover->loop->draining || (handover->setup.slots < 2 && !handover->loop->retiring))
        return;
    for (; exchange != NULL; exchange = next) {
        next = exchange->next;
        struct conn *conn = exchange->conn;
        unsigned slot = find_thread(handover);
        if (slot == handover->setup.slot && !handover->loop->retiring)
            break;
        if (send_to(handover, slot, conn, reason) == 0)
            conn_close(conn);
    }
    if (handover->loop->ready_first != NULL)
        timer_set(handover->again, AGAIN_MS);
}

static void take_parcel(struct handover *handover, struct parcel *parcel)
{
    const struct handover_setup *setup = &handover->setup;
    const struct address *address =
        &setup->addresses[parcel->address < setup->address_count ? parcel->address : 0];
    scoreboard_add(handover->loop->row->adopted, 1);
    conn_adopt(handover->loop, &h1_protocol, &address->local, parcel, handover->bytes);
}

static bool is_want_of_room(int error)
{
    return error == EMFILE || error == ENOMEM || error == ENOBUFS;
}

/* A parcel that cannot be taken stays in the transfer socket, for us or for another worker. */
static void pause_taking(struct handover *handover)
{
    struct loop *loop = handover->loop;
    enum intake_state why = errno == EMFILE ? INTAKE_NO_DESCRIPTORS : INTAKE_NO_RESOURCES;
    if (!loop->adopting_paused)
        log_limited(LOG_PARCELS_WAIT, LOG_ERROR, "connections from other workers wait: %s", strerror(errno));
    loop->adopting_paused = true;
    if (scoreboard_get(loop->row->intake) != INTAKE_NO_DESCRIPTORS)
        scoreboard_set(loop->row->intake, why);
    for (unsigned slot = 0; slot < handover->setup.slots; slot++)
        if (handover->transfer_in[slot].event != NULL)
            event_del(handover->transfer_in[slot].event);
    timer_set(handover->resume, RESUME_MS);
}

static void tell_lost(int error)
{
    if (error == EBADMSG)
        log_limited(
            LOG_PARCEL, LOG_ERROR,
            "a connection from another worker is lost: this worker had no descriptor left to take it");
    else if (error == EPROTO)
        log_limited(LOG_PARCEL, LOG_ERROR,
                    "a message from another worker is dropped: it is no connection that gateway has sent");
    else
        loop_broken("received from other workers");
}

/* False when there is no parcel, or none can be taken now. */
static bool take_one(struct transfer_in *transfer_in)
{
    struct handover *handover = transfer_in->handover;
    _Atomic uint32_t *count = in_transfer(handover, transfer_in->slot);
    struct parcel parcel;
    int r = parcel_receive(handover->setup.transfer_in[transfer_in->slot], &parcel, handover->bytes);
    if (r < 0 && is_want_of_room(errno)) {
        pause_taking(handover);
        return false;
    }
    if (r < 0)
        tell_lost(errno);
    if (r == 0) {
        atomic_store_explicit(count, 0, memory_order_relaxed);
        return false;
    }
    if (atomic_load_explicit(count, memory_order_relaxed) > 0)
        atomic_fetch_sub_explicit(count, 1, memory_order_relaxed);
    if (r > 0)
        take_parcel(handover, &parcel);
    return true;
}

static void parcel_arrived(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    for (int i = 0; i < BURST_MAX && take_one(arg); i++)
        ;
}

void handover_take_all(struct handover *handover)
{
    for (unsigned slot = 0; slot < handover->setup.slots; slot++)
        while (take_one(&handover->transfer_in[slot]))
            ;
}

static void resume_taking(void *context)
{
    struct handover *handover = context;
    if (!parcel_has_room(handover->setup.transfer_in[handover->setup.slot])) {
        timer_set(handover->resume, RESUME_MS);
        return;
    }
    handover->loop->adopting_paused = false;
    if (!handover->loop->accepting_paused)
        scoreboard_set(handover->loop->row->intake, INTAKE_OPEN);
    for (unsigned slot = 0; slot < handover->setup.slots; slot++)
        if (handover->transfer_in[slot].event != NULL)
            loop_watch(handover->transfer_in[slot].event);
    if (handover->loop->draining)
        handover_take_all(handover);
}

static void close_transfer_in(struct transfer_in *transfer_in)
{
    if (transfer_in->event != NULL)
        event_free(transfer_in->event);
    transfer_in->event = NULL;
}

void handover_serve(struct handover *handover, unsigned slot, bool serve)
{
    struct transfer_in *transfer_in = &handover->transfer_in[slot];
    if (!serve) {
        close_transfer_in(transfer_in);
    } else if (transfer_in->event == NULL && !handover->loop->retiring) {
        transfer_in->event = event_new(handover->loop->base, handover->setup.transfer_in[slot],
                                       EV_READ | EV_PERSIST, parcel_arrived, transfer_in);
        loop_watch(transfer_in->event);
    }
}

static void defer_idle(struct timeout *timeout)
{
    conn_defer(conn_of_timeout(timeout));
}

/* Offers connections that idle, and those that have sent nothing yet. */
static void offer_idle(struct handover *handover)
{
    timeouts_each(handover->loop->timeouts, TIMEOUT_KEEP_ALIVE, defer_idle);
    timeouts_each(handover->loop->timeouts, TIMEOUT_SILENT, defer_idle);
}

static void look_again(void *context)
{
    struct handover *handover = context;
    if (handover->loop->retiring)
        offer_idle(handover);
}

void handover_retire(struct handover *handover)
{
    handover->loop->retiring = true;
    for (unsigned slot = 0; slot < handover->setup.slots; slot++)
        close_transfer_in(&handover->transfer_in[slot]);
    offer_idle(handover);
}

struct handover *handover_new(struct loop *loop, const struct handover_setup *setup)
{
    struct handover *handover =
        xcalloc(1, sizeof(*handover) + setup->slots * sizeof(handover->transfer_in[0]));
    handover->loop = loop;
    handover->setup = *setup;
    handover->bytes = xmalloc(PARCEL_MAX);
    handover->again = timer_new(loop->base, look_again, handover);
    handover->level = timer_new(loop->base, compare_numbers, handover);
    handover->resume = timer_new(loop->base, resume_taking, handover);
    for (unsigned slot = 0; slot < setup->slots; slot++)
        handover->transfer_in[slot] = (struct transfer_in){.handover = handover, .slot = slot};
    handover_serve(handover, setup->slot, true);
    loop->handover = handover;
    return handover;
}

void handover_free(struct handover *handover)
{
    if (handover == NULL)
        return;
    handover->loop->handover = NULL;
    for (unsigned slot = 0; slot < handover->setup.slots; slot++)
        close_transfer_in(&handover->transfer_in[slot]);
    timer_free(handover->again);
    timer_free(handover->level);
    timer_free(handover->resume);
    free(handover->bytes);
    free(handover);
}
