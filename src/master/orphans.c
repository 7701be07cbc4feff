/* Orphans: slots whose queues nobody serves. */
#include "master/orphans.h"

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
    bool left;         /* its clients are left to the others */
};

struct orphans {
    struct scoreboard *board;
    const struct address *addresses;
    size_t address_count;
    unsigned slots;
    bool all_wait; /* a client waited at a socket that all slots share, at the last tick and the one before */
    bool all_waited;
    struct watched watched[];
};

struct orphans *orphans_new(struct scoreboard *board, unsigned slots, const struct address *addresses,
                            size_t address_count)
{
    size_t all = board->count / FLEET_SEATS;
    struct orphans *orphans = xcalloc(1, sizeof(*orphans) + all * sizeof(orphans->watched[0]));
    orphans->board = board;
    orphans->addresses = addresses;
    orphans->address_count = address_count;
    orphans->slots = slots;
    return orphans;
}

void orphans_add_slot(struct orphans *orphans, unsigned slot)
{
    if (slot >= orphans->slots)
        orphans->slots = slot + 1;
}

void orphans_free(struct orphans *orphans)
{
    free(orphans);
}

/* Where a stalled worker has a successor already, that one. */
static const struct scoreboard_row *serving_row(const struct orphans *orphans, unsigned slot)
{
    const struct scoreboard_row *rows = &orphans->board->rows[slot * FLEET_SEATS], *found = NULL;
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++)
        if (scoreboard_get(rows[seat].state) == WORKER_READY &&
            (found == NULL || scoreboard_get(found->stalled) != 0))
            found = &rows[seat];
    return found;
}

/* Connections that the kernel has made and nobody has accepted. */
static unsigned queue_length(int fd)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 || info.tcpi_state != TCP_LISTEN)
        return 0;
    return info.tcpi_unacked;
}

static bool somebody_waits(const struct orphans *orphans, unsigned slot)
{
    if (scoreboard_get(orphans->board->rows[slot * FLEET_SEATS].in_post) > 0)
        return true;
    for (size_t i = 0; i < orphans->address_count; i++)
        if (!orphans->addresses[i].shared && queue_length(orphans->addresses[i].sockets[slot]) > 0)
            return true;
    return false;
}

/* Connections at a socket that all slots share: each worker can take them. */
static bool somebody_waits_for_any(const struct orphans *orphans)
{
    for (size_t i = 0; i < orphans->address_count; i++) {
        struct pollfd look = {.fd = orphans->addresses[i].sockets[0], .events = POLLIN};
        if (orphans->addresses[i].shared && poll(&look, 1, 0) > 0 && (look.revents & POLLIN) != 0)
            return true;
    }
    return false;
}

bool orphans_wait(const struct orphans *orphans, unsigned slot)
{
    return orphans->all_wait || (slot < orphans->slots && orphans->watched[slot].left);
}

bool orphans_look(struct orphans *orphans)
{
    bool changed = false;
    for (unsigned slot = 0; slot < orphans->slots; slot++) {
        struct scoreboard_row *first = &orphans->board->rows[slot * FLEET_SEATS];
        uint32_t orphaned = orphans->watched[slot].left || serving_row(orphans, slot) == NULL;
        changed = changed || scoreboard_get(first->orphaned) != orphaned;
        scoreboard_set(first->orphaned, orphaned);
    }
    return changed;
}

/* Whether a worker could take a client now, as far as its row tells: its loop has turned, and nothing keeps it from accepting. */
static bool could_accept(const struct watched *watched, const struct scoreboard_row *row)
{
    return scoreboard_get(row->progress) != watched->progress && scoreboard_get(row->intake) == INTAKE_OPEN;
}

/* That the loop turns is no progress for a client: a worker without descriptors turns at each retry. */
static void look_at(struct orphans *orphans, unsigned slot)
{
    struct watched *watched = &orphans->watched[slot];
    const struct scoreboard_row *row = serving_row(orphans, slot);
    if (row == NULL) {
        *watched = (struct watched){0};
        return;
    }
    uint64_t taken = scoreboard_get(row->accepted) + scoreboard_get(row->adopted);
    bool took_none = taken == watched->taken;
    /* Siblings empty the queue of a slot that is left to them: there an empty queue says nothing. */
    bool waits =
        took_none && ((watched->left && !could_accept(watched, row)) || somebody_waits(orphans, slot));
    watched->left = waits && (watched->left || watched->waited);
    watched->waited = waits;
    watched->taken = taken;
    watched->progress = scoreboard_get(row->progress);
}

bool orphans_tick(struct orphans *orphans)
{
    bool wait = somebody_waits_for_any(orphans);
    orphans->all_wait = wait && orphans->all_waited;
    orphans->all_waited = wait;
    for (unsigned slot = 0; slot < orphans->slots; slot++)
        look_at(orphans, slot);
    return orphans_look(orphans);
}
