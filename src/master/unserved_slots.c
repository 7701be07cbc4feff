/* Unserved slots: slots whose queues no worker serves. */
#include "master/unserved_slots.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "fleet/slot.h"

struct watched {
    uint64_t progress; /* of the slot's worker, at the last tick */
    uint64_t taken;    /* connections that it had taken by then */
    bool waited;       /* a client waited at the last tick, and the worker had taken none */
    bool left;         /* its clients are left to the other workers */
};

struct unserved_slots {
    struct scoreboard *board;
    const struct address *addresses;
    size_t address_count;
    unsigned slots;
    /* a client waited at a socket that all slots share, at the last tick, and at the tick before */
    bool all_wait;
    bool all_waited;
    struct watched watched[];
};

struct unserved_slots *unserved_slots_new(struct scoreboard *board, unsigned slots,
                                          const struct address *addresses, size_t address_count)
{
    size_t all = board->count / FLEET_SEATS;
    struct unserved_slots *unserved = xcalloc(1, sizeof(*unserved) + all * sizeof(unserved->watched[0]));
    unserved->board = board;
    unserved->addresses = addresses;
    unserved->address_count = address_count;
    unserved->slots = slots;
    return unserved;
}

void unserved_slots_add_slot(struct unserved_slots *unserved, unsigned slot)
{
    if (slot >= unserved->slots)
        unserved->slots = slot + 1;
}

void unserved_slots_free(struct unserved_slots *unserved)
{
    free(unserved);
}

/*
 * Returns the row that serves the slot. When a stalled worker has a successor already, that is its
 * row.
 */
static const struct scoreboard_row *serving_row(const struct unserved_slots *unserved, unsigned slot)
{
    const struct scoreboard_row *rows = &unserved->board->rows[slot * FLEET_SEATS], *found = NULL;
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++)
        if (scoreboard_get(rows[seat].state) == WORKER_READY &&
            (found == NULL || scoreboard_get(found->stalled) != 0))
            found = &rows[seat];
    return found;
}

/* Counts connections that the kernel has made and no worker has accepted. */
static unsigned queue_length(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state != TCP_LISTEN)
        return 0;
    return info.tcpi_unacked;
}

static bool somebody_waits(const struct unserved_slots *unserved, unsigned slot)
{
    if (scoreboard_get(unserved->board->rows[slot * FLEET_SEATS].in_transfer) > 0)
        return true;
    for (size_t i = 0; i < unserved->address_count; i++)
        if (!unserved->addresses[i].shared && queue_length(unserved->addresses[i].sockets[slot]) > 0)
            return true;
    return false;
}

/* Looks at sockets that all slots share: each worker can take their connections. */
static bool somebody_waits_for_any(const struct unserved_slots *unserved)
{
    for (size_t i = 0; i < unserved->address_count; i++) {
        struct pollfd look = {.fd = unserved->addresses[i].sockets[0], .events = POLLIN};
        if (unserved->addresses[i].shared && poll(&look, 1, 0) > 0 && (look.revents & POLLIN) != 0)
            return true;
    }
    return false;
}

bool unserved_slots_wait(const struct unserved_slots *unserved, unsigned slot)
{
    return unserved->all_wait || (slot < unserved->slots && unserved->watched[slot].left);
}

bool unserved_slots_look(struct unserved_slots *unserved)
{
    bool changed = false;
    for (unsigned slot = 0; slot < unserved->slots; slot++) {
        struct scoreboard_row *first = &unserved->board->rows[slot * FLEET_SEATS];
        uint32_t left_unserved = unserved->watched[slot].left || serving_row(unserved, slot) == NULL;
        changed = changed || scoreboard_get(first->left_unserved) != left_unserved;
        scoreboard_set(first->left_unserved, left_unserved);
    }
    return changed;
}

/*
 * True: the worker could take a client, as far as its row tells. Its loop has turned, and it
 * accepts.
 */
static bool could_accept(const struct watched *watched, const struct scoreboard_row *row)
{
    return scoreboard_get(row->progress) != watched->progress && scoreboard_get(row->intake) == INTAKE_OPEN;
}

/*
 * Looks at one slot. A turn of the loop is no progress for a client: a worker without descriptors
 * turns at each retry.
 */
static void look_at(struct unserved_slots *unserved, unsigned slot)
{
    struct watched *watched = &unserved->watched[slot];
    const struct scoreboard_row *row = serving_row(unserved, slot);
    if (row == NULL) {
        *watched = (struct watched){0};
        return;
    }
    uint64_t taken = scoreboard_get(row->accepted) + scoreboard_get(row->adopted);
    bool took_none = taken == watched->taken;
    /*
     * The other workers empty the queue of a slot that is left to them: there an empty queue says
     * nothing.
     */
    bool waits =
        took_none && ((watched->left && !could_accept(watched, row)) || somebody_waits(unserved, slot));
    watched->left = waits && (watched->left || watched->waited);
    watched->waited = waits;
    watched->taken = taken;
    watched->progress = scoreboard_get(row->progress);
}

bool unserved_slots_tick(struct unserved_slots *unserved)
{
    bool wait = somebody_waits_for_any(unserved);
    unserved->all_wait = wait && unserved->all_waited;
    unserved->all_waited = wait;
    for (unsigned slot = 0; slot < unserved->slots; slot++)
        look_at(unserved, slot);
    return unserved_slots_look(unserved);
}
