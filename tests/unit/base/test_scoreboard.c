/*
 * The scoreboard: shared with children; each row has cache lines of its own.
 */
#include "base/scoreboard.h"

#include "unit.h"

#include <sys/wait.h>
#include <unistd.h>

START_TEST(a_new_board_is_zero)
{
    struct scoreboard *board = scoreboard_new(3, 2);
    ck_assert_ptr_nonnull(board);
    ck_assert_uint_eq(board->count, 3);
    for (uint32_t i = 0; i < board->count; i++) {
        ck_assert_uint_eq(scoreboard_get(board->rows[i].pid), 0);
        ck_assert_uint_eq(scoreboard_get(board->rows[i].state), WORKER_NONE);
        ck_assert_uint_eq(scoreboard_get(board->rows[i].requests), 0);
        for (uint32_t thread = 0; thread < board->threads; thread++) {
            ck_assert_uint_eq(scoreboard_get(scoreboard_calls(board, i)[thread].since_ns), 0);
            ck_assert_str_eq(scoreboard_calls(board, i)[thread].request, "");
        }
    }
    scoreboard_free(board);
}
END_TEST

START_TEST(the_calls_of_one_row_are_counted)
{
    struct scoreboard *board = scoreboard_new(3, 4);
    scoreboard_call_begin(&scoreboard_calls(board, 1)[0], 1, "GET /", 5);
    scoreboard_call_begin(&scoreboard_calls(board, 1)[3], 2, "GET /", 5);
    scoreboard_call_begin(&scoreboard_calls(board, 2)[0], 3, "GET /", 5);
    ck_assert_uint_eq(scoreboard_busy(board, 1), 2);
    scoreboard_call_end(&scoreboard_calls(board, 1)[3]);
    ck_assert_uint_eq(scoreboard_busy(board, 1), 1);
    ck_assert_uint_eq(scoreboard_busy(board, 0), 0);
    scoreboard_free(board);
}
END_TEST

START_TEST(another_mapping_shows_the_same)
{
    struct scoreboard *board = scoreboard_new(3, 2);
    struct scoreboard *other = scoreboard_adopt(dup(board->memory), 3, 2);
    ck_assert_ptr_nonnull(other);
    scoreboard_set(board->rows[2].requests, 7);
    ck_assert_uint_eq(scoreboard_get(other->rows[2].requests), 7);
    ck_assert_ptr_null(scoreboard_adopt(board->memory, 3, 3));
    ck_assert_ptr_null(scoreboard_adopt(-1, 3, 2));
    scoreboard_free(other);
    ck_assert_uint_eq(scoreboard_get(board->rows[2].requests), 7);
    scoreboard_free(board);
}
END_TEST

START_TEST(its_memory_cannot_shrink)
{
    struct scoreboard *board = scoreboard_new(1, 1);
    ck_assert_int_lt(ftruncate(board->memory, 0), 0);
    ck_assert_int_lt(ftruncate(board->memory, 1 << 20), 0);
    scoreboard_free(board);
}
END_TEST

START_TEST(rows_share_no_cache_line)
{
    struct scoreboard *board = scoreboard_new(2, 2);
    ck_assert_uint_eq((uintptr_t)&board->rows[0] % 64, 0);
    ck_assert_uint_eq(sizeof(board->rows[0]) % 64, 0);
    ck_assert_uint_eq((uintptr_t)scoreboard_calls(board, 0) % 64, 0);
    ck_assert_ptr_eq(scoreboard_calls(board, 0), &board->rows[2]);
    ck_assert_ptr_eq(scoreboard_calls(board, 1), scoreboard_calls(board, 0) + 2);
    ck_assert_uint_eq(sizeof(struct scoreboard_call) % 64, 0);
    scoreboard_free(board);
}
END_TEST

static void be_worker(struct scoreboard_row *row, struct scoreboard_call *call)
{
    scoreboard_set(row->pid, (uint32_t)getpid());
    scoreboard_set(row->state, WORKER_READY);
    scoreboard_add(row->requests, 40);
    scoreboard_add(row->requests, 2);
    scoreboard_add(row->connections, 3);
    scoreboard_add(row->connections, -1);
    strcpy(call->request, "GET /");
    _exit(0);
}

START_TEST(what_a_forked_child_writes_is_seen)
{
    struct scoreboard *board = scoreboard_new(2, 2);
    pid_t child = fork();
    if (child == 0)
        be_worker(&board->rows[1], &scoreboard_calls(board, 1)[1]);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(scoreboard_get(board->rows[1].pid), (uint32_t)child);
    ck_assert_uint_eq(scoreboard_get(board->rows[1].state), WORKER_READY);
    ck_assert_uint_eq(scoreboard_get(board->rows[1].requests), 42);
    ck_assert_uint_eq(scoreboard_get(board->rows[1].connections), 2);
    ck_assert_str_eq(scoreboard_calls(board, 1)[1].request, "GET /");
    ck_assert_uint_eq(scoreboard_get(board->rows[0].requests), 0);
    scoreboard_free(board);
}
END_TEST

START_TEST(where_the_rows_are_is_no_childs_business)
{
    struct scoreboard *board = scoreboard_new(2, 2);
    struct scoreboard_row *rows = board->rows;
    pid_t child = fork();
    if (child == 0) {
        *board = (struct scoreboard){.count = 1000};
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    ck_assert_uint_eq(board->count, 2);
    ck_assert_ptr_eq(board->rows, rows);
    scoreboard_free(board);
}
END_TEST

START_TEST(a_call_is_read_while_it_runs)
{
    static struct scoreboard_call call;
    char request[SCOREBOARD_REQUEST_SIZE], line[2 * SCOREBOARD_REQUEST_SIZE];
    ck_assert_uint_eq(scoreboard_call_read(&call, request), 0);
    scoreboard_call_begin(&call, 42, "GET / HTTP/1.1 and more", 14);
    ck_assert_uint_eq(scoreboard_call_read(&call, request), 42);
    ck_assert_str_eq(request, "GET / HTTP/1.1");
    scoreboard_call_end(&call);
    ck_assert_uint_eq(scoreboard_call_read(&call, request), 0);
    memset(line, 'x', sizeof(line));
    scoreboard_call_begin(&call, 43, line, sizeof(line));
    ck_assert_uint_eq(scoreboard_call_read(&call, request), 43);
    ck_assert_uint_eq(strlen(request), SCOREBOARD_REQUEST_SIZE - 1);
}
END_TEST

START_TEST(the_last_restarts_are_remembered_and_all_are_counted)
{
    struct scoreboard *board = scoreboard_new(1, 1);
    struct scoreboard_restart restart;
    char how[2 * SCOREBOARD_HOW_SIZE];
    ck_assert(!scoreboard_read_restart(board->service, 0, &restart));
    for (uint32_t i = 1; i <= SCOREBOARD_RESTARTS + 3; i++)
        scoreboard_note_restart(board, i, 1000 + i, i % RESTART_CAUSES, "was killed");
    ck_assert_uint_eq(scoreboard_get(board->service->restarts[RESTART_SIGNAL]), 3);
    for (uint32_t age = 0; age < SCOREBOARD_RESTARTS; age++) {
        uint32_t expected = SCOREBOARD_RESTARTS + 3 - age;
        ck_assert(scoreboard_read_restart(board->service, age, &restart));
        ck_assert_uint_eq(restart.number, expected);
        ck_assert_uint_eq(restart.slot, expected);
        ck_assert_uint_eq(restart.pid, 1000 + expected);
        ck_assert_int_eq(restart.cause, expected % RESTART_CAUSES);
        ck_assert_str_eq(restart.how, "was killed");
        ck_assert_uint_ge(restart.at, scoreboard_get(board->service->started));
    }
    ck_assert(!scoreboard_read_restart(board->service, SCOREBOARD_RESTARTS, &restart));
    memset(how, 'x', sizeof(how));
    how[sizeof(how) - 1] = '\0';
    scoreboard_note_restart(board, 0, 1, RESTART_STUCK, how);
    ck_assert(scoreboard_read_restart(board->service, 0, &restart));
    ck_assert_uint_eq(strlen(restart.how), SCOREBOARD_HOW_SIZE - 1);
    scoreboard_free(board);
}
END_TEST

START_TEST(a_failed_reload_is_shown_by_those_who_were_there_before)
{
    struct scoreboard *board = scoreboard_new(1, 1);
    struct scoreboard_failed_reload *failed_reload = &board->service->failed_reload;
    static char text[SCOREBOARD_FAILED_RELOAD_SIZE], all[SCOREBOARD_FAILED_RELOAD_SIZE + 10];
    size_t size;
    uint32_t before = scoreboard_failed_reloads(failed_reload);
    ck_assert(!scoreboard_read_failed_reload(failed_reload, before, text, &size));
    for (int i = 0; i < 2; i++) {
        scoreboard_note_failed_reload(board, "why", 3);
        ck_assert(scoreboard_read_failed_reload(failed_reload, before, text, &size));
        unit_assert_bytes("the text", text, size, "why", 3);
    }
    ck_assert(
        !scoreboard_read_failed_reload(failed_reload, scoreboard_failed_reloads(failed_reload), text, &size));

    /* The end of a traceback tells the reason. The kept part begins with a whole character. */
    memset(all, 'a', sizeof(all));
    memcpy(all + 8, "\xe2\x82\xac", 3);
    memcpy(all + sizeof(all) - 5, "Error", 5);
    scoreboard_note_failed_reload(board, all, sizeof(all));
    ck_assert(scoreboard_read_failed_reload(failed_reload, before, text, &size));
    ck_assert_uint_eq(size, SCOREBOARD_FAILED_RELOAD_SIZE - 1);
    ck_assert_int_eq(text[0], 'a');
    ck_assert_mem_eq(text + size - 5, "Error", 5);

    /* Values in shared memory may be arbitrary, or half written. */
    failed_reload->size = UINT32_MAX;
    ck_assert(!scoreboard_read_failed_reload(failed_reload, before, text, &size));
    failed_reload->size = 1;
    scoreboard_add(failed_reload->number, 1);
    ck_assert(!scoreboard_read_failed_reload(failed_reload, before, text, &size));
    scoreboard_free(board);
}
END_TEST

START_TEST(a_refusal_saturates_for_a_while)
{
    static struct scoreboard_row row;
    ck_assert(!scoreboard_is_saturated(&row, 0));
    ck_assert(!scoreboard_is_saturated(&row, 100000));
    scoreboard_set(row.refused_ms, 100000);
    ck_assert(scoreboard_is_saturated(&row, 100000));
    ck_assert(scoreboard_is_saturated(&row, 99996)); /* the reader's clock may be a tick behind */
    ck_assert(scoreboard_is_saturated(&row, 101999));
    ck_assert(!scoreboard_is_saturated(&row, 102000));
}
END_TEST

START_TEST(all_that_has_a_name_has_one_of_its_own)
{
    for (int i = 0; i < REFUSALS; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(refusal_name(i), refusal_name(j));
    for (int i = 0; i < RESTART_CAUSES; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(restart_cause_name(i), restart_cause_name(j));
    for (int i = 0; i < HANDOVER_REASONS; i++)
        for (int j = 0; j < i; j++)
            ck_assert_str_ne(handover_reason_name(i), handover_reason_name(j));
}
END_TEST

static const struct {
    enum worker_state state;
    const char *name;
} states[] = {
    {WORKER_NONE, "none"},       {WORKER_FAILED, "failed"}, {WORKER_BOOTING, "booting"},
    {WORKER_LOADED, "loaded"},   {WORKER_READY, "ready"},   {WORKER_DRAINING, "draining"},
    {WORKER_STALLED, "stalled"},
};

START_TEST(every_state_has_its_name)
{
    ck_assert_int_eq(UNIT_ROWS(states), WORKER_STATES);
    ck_assert_str_eq(worker_state_name(states[_i].state), states[_i].name);
}
END_TEST

START_TEST(freeing_no_board_is_fine)
{
    scoreboard_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, a_new_board_is_zero);
    tcase_add_test(tests, the_calls_of_one_row_are_counted);
    tcase_add_test(tests, another_mapping_shows_the_same);
    tcase_add_test(tests, its_memory_cannot_shrink);
    tcase_add_test(tests, rows_share_no_cache_line);
    tcase_add_test(tests, what_a_forked_child_writes_is_seen);
    tcase_add_test(tests, where_the_rows_are_is_no_childs_business);
    tcase_add_test(tests, a_call_is_read_while_it_runs);
    tcase_add_test(tests, the_last_restarts_are_remembered_and_all_are_counted);
    tcase_add_test(tests, a_failed_reload_is_shown_by_those_who_were_there_before);
    tcase_add_test(tests, a_refusal_saturates_for_a_while);
    tcase_add_test(tests, all_that_has_a_name_has_one_of_its_own);
    unit_add_rows(tests, every_state_has_its_name, states);
    tcase_add_test(tests, freeing_no_board_is_fine);
}

int main(void)
{
    return unit_run("base/scoreboard", add);
}
