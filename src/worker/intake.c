/* The intake of a worker. */
#include "worker/intake.h"

#include "fleet/slot.h"

/* Clients of an unserved slot must not wait for its next worker. */
static bool is_ours(const struct intake *intake, unsigned slot)
{
    const struct scoreboard_row *rows = intake->setup->board->rows;
    return slot == intake->setup->slot || scoreboard_get(rows[slot * FLEET_SEATS].left_unserved) != 0;
}

void intake_look(struct intake *intake)
{
    for (unsigned slot = 0; slot < intake->setup->slots; slot++) {
        bool serve = !intake->paused && is_ours(intake, slot);
        listeners_serve(intake->listeners, slot, serve);
        handover_serve(intake->handover, slot, serve);
    }
}

void intake_pause(struct intake *intake, bool pause)
{
    intake->paused = pause;
    intake_look(intake);
}

void intake_open(struct intake *intake, struct loop *loop, const struct worker_setup *setup)
{
    const struct handover_setup handover = {
        .addresses = setup->addresses,
        .address_count = setup->address_count,
        .transfer_out = setup->transfer_out,
        .transfer_in = setup->transfer_in,
        .slot = setup->slot,
        .slots = setup->slots,
        .seats = FLEET_SEATS,
        .board = setup->board,
    };
    *intake = (struct intake){.setup = setup};
    intake->listeners = listeners_new(loop, setup->addresses, setup->address_count, setup->slot);
    intake->handover = handover_new(loop, &handover);
    intake_look(intake);
}

void intake_free(struct intake *intake)
{
    listeners_free(intake->listeners);
    handover_free(intake->handover);
}
