/* The fleet's end. */
#include "base/log.h"
#include "fleet/fleet_state.h"
#include "proc/python_end.h"

/* One that is still importing does not read its messages, and has nothing to finish. */
static void drain_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        fleet_kill_seat(fleet, slot, seat, KILL_UNWANTED);
    else if (seat->state == SEAT_SERVING || seat->state == SEAT_PROVING)
        fleet_tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, fleet_leave_by(fleet, now));
    else if (seat->state == SEAT_LEAVING) /* its successor will not take what it gives away */
        fleet_tell_to_leave(fleet, slot, seat, MESSAGE_DRAIN, seat->deadline_ms);
}

static uint64_t quit_by(const struct fleet *fleet, uint64_t now)
{
    uint64_t graceful = fleet->limits.graceful_ms;
    return now + (graceful < PYTHON_END_QUICK_MS ? graceful : PYTHON_END_QUICK_MS) + GRACE_MS;
}

static void quit_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    if (seat->state == SEAT_BOOTING)
        fleet_kill_seat(fleet, slot, seat, KILL_UNWANTED);
    else if (seat->state != SEAT_EMPTY)
        fleet_tell_to_leave(fleet, slot, seat, MESSAGE_QUIT, quit_by(fleet, now));
}

static void kill_seat(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now)
{
    (void)now;
    fleet_kill_seat(fleet, slot, seat, KILL_AT_ONCE);
}

static void stop(struct fleet *fleet, enum fleet_phase phase, uint64_t now,
                 void (*visit)(struct fleet *fleet, struct slot *slot, struct seat *seat, uint64_t now))
{
    fleet->phase = phase;
    fleet_abandon_reload(fleet);
    fleet_visit_all(fleet, now, visit);
    if (fleet_is_empty(fleet))
        fleet->phase = FLEET_OVER;
}

void fleet_drain(struct fleet *fleet, uint64_t now)
{
    if (fleet_is_stopping(fleet))
        return;
    stop(fleet, FLEET_DRAINING, now, drain_seat);
}

void fleet_quit(struct fleet *fleet, uint64_t now)
{
    if (fleet->phase == FLEET_OVER)
        return;
    bool again = fleet->phase >= FLEET_STOPPING;
    log_info(again ? "stopping at once" : "stopping quickly");
    stop(fleet, again ? FLEET_KILLING : FLEET_STOPPING, now, again ? kill_seat : quit_seat);
}
