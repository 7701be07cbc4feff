/* The totals of the scoreboard. */
#include "status/totals.h"

#include <assert.h>

#include "base/clock.h"

enum worker_state totals_worker_state(const struct scoreboard_row *row)
{
    uint32_t state = scoreboard_get(row->state);
    if (state == WORKER_READY && scoreboard_get(row->stalled) != 0)
        return WORKER_STALLED;
    return state < WORKER_STATES ? state : WORKER_NONE;
}

static uint32_t least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The parts change while they are read: parts that exceed the sum are cut. */
static void add_connections(struct totals *totals, const struct scoreboard_row *row, uint32_t busy)
{
    uint32_t all = scoreboard_get(row->connections);
    uint32_t reading = least(all, scoreboard_get(row->connection_states[CONNECTION_READING]));
    uint32_t writing = least(all - reading, scoreboard_get(row->connection_states[CONNECTION_WRITING]));
    uint32_t active = least(all - reading - writing, scoreboard_get(row->ready) + busy);
    totals->connections += all;
    totals->reading += reading;
    totals->writing += writing;
    totals->active += active;
    totals->idle += all - reading - writing - active;
}

static void add_present(struct totals *totals, struct scoreboard *board, uint32_t number)
{
    const struct scoreboard_row *row = &board->rows[number];
    enum worker_state state = totals_worker_state(row);
    uint32_t busy = scoreboard_busy(board, number);
    totals->workers[state]++;
    bool serves = state == WORKER_READY || state == WORKER_DRAINING || state == WORKER_STALLED;
    totals->threads += serves ? board->threads : 0;
    totals->busy += busy;
    totals->queued += scoreboard_get(row->ready);
    totals->spooled += scoreboard_get(row->spooled);
    add_connections(totals, row, busy);
}

static void add_past(struct totals *totals, const struct scoreboard_row *row)
{
    for (int i = 0; i < SCOREBOARD_CODES; i++) {
        uint64_t answers = scoreboard_get(row->answers[i]);
        totals->answers_by_code[i] += answers;
        totals->answers += answers;
    }
    totals->accepted += scoreboard_get(row->accepted);
    totals->received += scoreboard_get(row->received);
    totals->sent += scoreboard_get(row->sent);
    for (int i = 0; i < REFUSALS; i++)
        totals->refused[i] += scoreboard_get(row->refused[i]);
    for (int i = 0; i < HANDOVER_REASONS; i++)
        totals->handed_over[i] += scoreboard_get(row->handed_over[i]);
    histogram_read(&row->request, &totals->request);
    histogram_read(&row->queue, &totals->queue);
    histogram_read(&row->call, &totals->call);
}

static enum service_state state_of(const struct totals *totals, const struct scoreboard *board)
{
    if (scoreboard_get(board->service->stops) && totals->workers[WORKER_NONE] < board->count)
        return SERVICE_DRAINING;
    for (uint32_t i = 0; i < board->count; i++)
        if (totals_worker_state(&board->rows[i]) == WORKER_READY &&
            !scoreboard_is_saturated(&board->rows[i], totals->now_ms))
            return SERVICE_READY;
    if (totals->workers[WORKER_READY] > 0)
        return SERVICE_SATURATED;
    if (totals->workers[WORKER_STALLED] > 0)
        return SERVICE_STALLED;
    if (totals->workers[WORKER_BOOTING] + totals->workers[WORKER_LOADED] > 0)
        return SERVICE_STARTING;
    return totals->workers[WORKER_DRAINING] > 0 ? SERVICE_DRAINING : SERVICE_DOWN;
}

/* No worker has ever used the row. Reading it would cost memory: one page for each untouched
 * row. */
static bool is_spare(const struct scoreboard_row *row)
{
    return scoreboard_get(row->state) == WORKER_NONE && scoreboard_get(row->forked_ms) == 0;
}

void totals_take(struct totals *totals, struct scoreboard *board)
{
    *totals = (struct totals){.now_ms = clock_ms(), .now_ns = clock_ns()};
    for (uint32_t i = 0; i < board->count; i++) {
        if (is_spare(&board->rows[i])) {
            totals->workers[WORKER_NONE]++;
            continue;
        }
        add_present(totals, board, i);
        add_past(totals, &board->rows[i]);
    }
    totals->state = state_of(totals, board);
}

const char *service_state_name(enum service_state state)
{
    static const char *const names[SERVICE_STATES] = {
        [SERVICE_STARTING] = "starting", [SERVICE_READY] = "ready",       [SERVICE_SATURATED] = "saturated",
        [SERVICE_STALLED] = "stalled",   [SERVICE_DRAINING] = "draining", [SERVICE_DOWN] = "down",
    };
    assert(state < SERVICE_STATES && names[state] != NULL);
    return names[state];
}
