/* The master's slots and seats: what workers find there, whoever they are. */
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "master/master_state.h"

unsigned master_number_of(struct seat_id seat_id)
{
    return seat_id.slot * FLEET_SEATS + seat_id.seat;
}

static int open_transfers(struct master *master)
{
    for (unsigned i = 0; i < master->service.slots; i++) {
        int ends[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
            log_critical("the pairs for connections cannot be made: %s", strerror(errno));
            return -1;
        }
        master->transfer_in[i] = ends[0];
        master->transfer_out[i] = ends[1];
    }
    return 0;
}

void master_watch_seat(struct master *master, struct seat_id seat_id)
{
    unsigned number = master_number_of(seat_id);
    struct seat_messages *messages = &master->messages[number];
    *messages = (struct seat_messages){.master = master, .seat_id = seat_id};
    messages->event = event_new(master->base, master->children[number].channel.master, EV_READ | EV_PERSIST,
                                master_messages_arrived, messages);
    event_add(messages->event, NULL);
}

static int open_seat(struct master *master, struct seat_id seat_id)
{
    unsigned number = master_number_of(seat_id);
    if (child_open(&master->children[number]) < 0) {
        log_critical("a worker's channel cannot be made: %s", strerror(errno));
        return -1;
    }
    master_watch_seat(master, seat_id);
    return 0;
}

/* Of the next slot. Those that are open already are from a try that failed. */
static int open_seats(struct master *master)
{
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++) {
        struct seat_id seat_id = {master->slots, seat};
        if (master->messages[master_number_of(seat_id)].event == NULL && open_seat(master, seat_id) < 0)
            return -1;
    }
    return 0;
}

int master_open_slots(struct master *master)
{
    unsigned workers = (unsigned)master->options->workers, slots = master->service.slots;
    master->transfer_out = xcalloc(slots, sizeof(*master->transfer_out));
    master->transfer_in = xcalloc(slots, sizeof(*master->transfer_in));
    master->children = xcalloc(master->count, sizeof(*master->children));
    master->messages = xcalloc(master->count, sizeof(*master->messages));
    for (unsigned i = 0; i < master->count; i++)
        master->children[i] = (struct child){.channel = {-1, -1}, .crash_pipe = {-1, -1}};
    if (master->saved != NULL)
        return master_load_slots(master);
    if (open_transfers(master) < 0)
        return -1;
    for (; master->slots < workers; master->slots++)
        if (open_seats(master) < 0)
            return -1;
    return 0;
}

/* The sockets of a slot that has never been used listen from now on. Once one does, clients come: somebody serves them, also when
 * the others fail. */
static int listen_more(struct master *master)
{
    const struct service *service = &master->service;
    if (open_seats(master) < 0)
        return -1;
    unserved_slots_add_slot(master->unserved, master->slots);
    for (size_t i = 0; i < service->address_count; i++)
        if (address_listen_more(&service->addresses[i], master->slots, (int)master->options->backlog) < 0)
            return -1;
    master->slots++;
    return 0;
}

void master_change_workers(struct master *master)
{
    char message[256];
    int change = master->more_workers;
    master->more_workers = 0;
    for (; change > 0; change--)
        if (master_resize(master, 1, message, sizeof(message)) < 0)
            return;
    for (; change < 0; change++)
        if (master_resize(master, -1, message, sizeof(message)) < 0)
            return;
}

int master_resize(struct master *master, int change, char *message, size_t size)
{
    unsigned wanted = fleet_slots(master->fleet) + (unsigned)change;
    int r = -1;
    if (wanted == 0)
        snprintf(message, size, "one worker is the least");
    else if (wanted > master->service.slots)
        snprintf(message, size, "%u workers are the most without a restart: set --workers",
                 master->service.slots);
    else if (wanted > master->slots && listen_more(master) < 0)
        snprintf(message, size, "there can be no more workers: %s", strerror(errno));
    else if (fleet_resize(master->fleet, change, clock_ms()) < 0)
        snprintf(message, size, "the service starts, or stops");
    else
        r = 0;
    if (r < 0)
        log_warning("%s", message);
    master_follow_up(master);
    return r;
}
