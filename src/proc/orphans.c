/* Orphans: slots whose queues nobody serves. */
#include "proc/orphans.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "proc/slot.h"

struct watched {
    uint64_t progress; /* of whoever serves, at the last tick */
    bool waited;       /* somebody did, then */
    bool stalled;
};

struct orphans {
    struct scoreboard *board;
    const struct address *addresses;
    size_t address_count;
    unsigned slots;
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

static const struct scoreboard_row *serving_row(const struct orphans *orphans, unsigned slot)
{
    const struct scoreboard_row *rows = &orphans->board->rows[slot * FLEET_SEATS];
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++)
        if (scoreboard_get(rows[seat].state) == WORKER_READY)
            return &rows[seat];
    return NULL;
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

bool orphans_look(struct orphans *orphans)
{
    bool changed = false;
    for (unsigned slot = 0; slot < orphans->slots; slot++) {
        struct scoreboard_row *first = &orphans->board->rows[slot * FLEET_SEATS];
        uint32_t orphaned = orphans->watched[slot].stalled || serving_row(orphans, slot) == NULL;
        changed = changed || scoreboard_get(first->orphaned) != orphaned;
        scoreboard_set(first->orphaned, orphaned);
    }
    return changed;
}

/* One that has stalled moves again as soon as it turns: by itself, when it is let. */
bool orphans_tick(struct orphans *orphans)
{
    for (unsigned slot = 0; slot < orphans->slots; slot++) {
        struct watched *watched = &orphans->watched[slot];
        const struct scoreboard_row *row = serving_row(orphans, slot);
        uint64_t progress = row != NULL ? scoreboard_get(row->progress) : 0;
        bool still = row != NULL && progress == watched->progress;
        bool waits = still && (watched->stalled || somebody_waits(orphans, slot));
        watched->stalled = waits && (watched->stalled || watched->waited);
        watched->waited = waits;
        watched->progress = progress;
    }
    return orphans_look(orphans);
}
