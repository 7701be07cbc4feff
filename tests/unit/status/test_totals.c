/*
 * Totals: the sums over all rows, and the state of the service as a whole.
 */
#include "status/totals.h"

#include "base/clock.h"

#include "unit.h"

static struct scoreboard *board;
static struct totals totals;

static void set_up(void)
{
    board = scoreboard_new(3, 2);
    for (int i = 0; i < 3; i++)
        scoreboard_set(board->rows[i].forked_ms, 1);
}

static void tear_down(void)
{
    scoreboard_free(board);
}

/* A row's worker is in that state; its seat has been used unless the state is WORKER_NONE. */
static const struct {
    const char *name;
    enum worker_state states[3];
    bool saturated[3];
    enum service_state expected;
} states[] = {
    {"nobody", {WORKER_NONE, WORKER_NONE, WORKER_NONE}, {false}, SERVICE_DOWN},
    {"the first one imports", {WORKER_BOOTING, WORKER_NONE, WORKER_NONE}, {false}, SERVICE_STARTING},
    {"it has", {WORKER_LOADED, WORKER_NONE, WORKER_NONE}, {false}, SERVICE_STARTING},
    {"it serves", {WORKER_READY, WORKER_BOOTING, WORKER_NONE}, {false}, SERVICE_READY},
    {"one is saturated", {WORKER_READY, WORKER_READY, WORKER_NONE}, {true}, SERVICE_READY},
    {"all who serve are", {WORKER_READY, WORKER_READY, WORKER_BOOTING}, {true, true}, SERVICE_SATURATED},
    {"all leave", {WORKER_DRAINING, WORKER_DRAINING, WORKER_NONE}, {false}, SERVICE_DRAINING},
    {"one leaves, its successor imports",
     {WORKER_DRAINING, WORKER_BOOTING, WORKER_NONE},
     {false},
     SERVICE_STARTING},
    {"the only one could not import", {WORKER_FAILED, WORKER_NONE, WORKER_NONE}, {false}, SERVICE_DOWN},
};

START_TEST(the_service_is_what_its_workers_make_it)
{
    for (int i = 0; i < 3; i++) {
        scoreboard_set(board->rows[i].state, states[_i].states[i]);
        scoreboard_set(board->rows[i].refused_ms, states[_i].saturated[i] ? clock_ms() : 0);
    }
    totals_take(&totals, board);
    ck_assert_msg(totals.state == states[_i].expected, "%s: %s", states[_i].name,
                  service_state_name(totals.state));
}
END_TEST

static const struct {
    const char *name;
    bool stalled[2], saturated[2];
    enum service_state expected;
} stalls[] = {
    {"one is stalled", {true, false}, {false, false}, SERVICE_READY},
    {"both are", {true, true}, {false, false}, SERVICE_STALLED},
    {"one is, the other is saturated", {true, false}, {false, true}, SERVICE_SATURATED},
};

START_TEST(workers_that_are_stalled_do_not_count)
{
    uint32_t count = 0;
    for (int i = 0; i < 2; i++) {
        scoreboard_set(board->rows[i].state, WORKER_READY);
        scoreboard_set(board->rows[i].stalled, stalls[_i].stalled[i]);
        scoreboard_set(board->rows[i].refused_ms, stalls[_i].saturated[i] ? clock_ms() : 0);
        count += stalls[_i].stalled[i];
    }
    totals_take(&totals, board);
    ck_assert_msg(totals.state == stalls[_i].expected, "%s: %s", stalls[_i].name,
                  service_state_name(totals.state));
    ck_assert_uint_eq(totals.workers[WORKER_STALLED], count);
}
END_TEST

START_TEST(a_service_that_stops_is_not_ready)
{
    scoreboard_set(board->service->stops, 1);
    totals_take(&totals, board);
    ck_assert_int_eq(totals.state, SERVICE_DOWN);
    scoreboard_set(board->rows[0].state, WORKER_READY);
    totals_take(&totals, board);
    ck_assert_int_eq(totals.state, SERVICE_DRAINING);
}
END_TEST

START_TEST(rows_are_added_up_whether_their_worker_lives_or_not)
{
    for (unsigned i = 0; i < 3; i++) {
        struct scoreboard_row *row = &board->rows[i];
        scoreboard_count(row->answers[0], 10);
        scoreboard_count(row->answers[503 - SCOREBOARD_CODE_MIN], i);
        scoreboard_count(row->sent, 1000);
        scoreboard_add(row->received, 100);
        scoreboard_add(row->accepted, 4);
        scoreboard_add(row->refused[REFUSAL_SLOW], 2);
        scoreboard_add(row->handed_over[HANDOVER_BUSY], 3);
        histogram_add(&row->request, 1000000);
        histogram_add(&row->queue, 2000000);
        histogram_add(&row->call, 3000000);
    }
    totals_take(&totals, board);
    ck_assert_uint_eq(totals.answers, 33);
    ck_assert_uint_eq(totals.answers_by_code[0], 30);
    ck_assert_uint_eq(totals.answers_by_code[503 - SCOREBOARD_CODE_MIN], 3);
    ck_assert_uint_eq(totals.sent, 3000);
    ck_assert_uint_eq(totals.received, 300);
    ck_assert_uint_eq(totals.accepted, 12);
    ck_assert_uint_eq(totals.refused[REFUSAL_SLOW], 6);
    ck_assert_uint_eq(totals.handed_over[HANDOVER_BUSY], 9);
    ck_assert_uint_eq(totals.request.count, 3);
    ck_assert_uint_eq(totals.queue.sum, 6000000);
    ck_assert_uint_eq(totals.call.sum, 9000000);
}
END_TEST

static const struct {
    const char *name;
    uint32_t all, reading, writing, ready, busy;
    uint32_t idle, shown_reading, active, shown_writing;
} connections[] = {
    {"all idle", 5, 0, 0, 0, 0, 5, 0, 0, 0},
    {"one of each", 5, 1, 1, 1, 1, 1, 1, 2, 1},
    {"a call whose client is gone", 0, 0, 0, 0, 1, 0, 0, 0, 0},
    {"more counted than there are", 2, 1, 4, 1, 1, 0, 1, 0, 1},
};

START_TEST(connections_are_told_apart)
{
    struct scoreboard_row *row = &board->rows[1];
    scoreboard_set(row->state, WORKER_READY);
    scoreboard_set(row->connections, connections[_i].all);
    scoreboard_set(row->connection_states[CONNECTION_READING], connections[_i].reading);
    scoreboard_set(row->connection_states[CONNECTION_WRITING], connections[_i].writing);
    scoreboard_set(row->ready, connections[_i].ready);
    for (uint32_t i = 0; i < connections[_i].busy; i++)
        scoreboard_call_begin(&scoreboard_calls(board, 1)[i], 1, "GET /", 5);
    totals_take(&totals, board);
    ck_assert_uint_eq(totals.threads, 2);
    ck_assert_uint_eq(totals.busy, connections[_i].busy);
    ck_assert_uint_eq(totals.queued, connections[_i].ready);
    ck_assert_uint_eq(totals.connections, connections[_i].all);
    ck_assert_msg(
        totals.idle == connections[_i].idle && totals.reading == connections[_i].shown_reading &&
            totals.active == connections[_i].active && totals.writing == connections[_i].shown_writing,
        "%s: %u %u %u %u", connections[_i].name, totals.idle, totals.reading, totals.active, totals.writing);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, the_service_is_what_its_workers_make_it, states);
    unit_add_rows(tests, workers_that_are_stalled_do_not_count, stalls);
    tcase_add_test(tests, a_service_that_stops_is_not_ready);
    tcase_add_test(tests, rows_are_added_up_whether_their_worker_lives_or_not);
    unit_add_rows(tests, connections_are_told_apart, connections);
}

int main(void)
{
    return unit_run("status/totals", add);
}
