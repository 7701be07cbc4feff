/*
 * When the service manager is told what: the service's course, and the watchdog with workers that answer and such that do not.
 */
#include "master/report.h"

#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "proc/manager.h"

enum { ROWS = 2 * FLEET_SEATS, WATCHDOG_MS = 400, PATIENCE_MS = 30000 };

static struct event_base *base;
static struct scoreboard *board;
static struct report *report;
static unsigned pings[ROWS];
static bool stuck[ROWS];

static void ping(void *context, unsigned row)
{
    ck_assert_ptr_eq(context, pings);
    pings[row]++;
    if (!stuck[row])
        scoreboard_add(board->rows[row].progress, 1);
}

static void put(unsigned row, enum worker_state state)
{
    scoreboard_set(board->rows[row].state, state);
    scoreboard_set(board->rows[row].pid, state == WORKER_NONE ? 0 : 1000 + row);
}

static void set_up(void)
{
    char name[64];
    snprintf(name, sizeof(name), "@gateway-test-report-%d", (int)getpid());
    manager_open(name);
    base = event_base_new();
    board = scoreboard_new(ROWS, 1);
}

static void start(void)
{
    report = report_new(base, board, ping, pings);
    ck_assert_str_eq(manager_heard(), "STATUS=the application is being imported");
}

static void tear_down(void)
{
    report_free(report);
    scoreboard_free(board);
    event_base_free(base);
    close(manager_fd);
}

static const char *after(enum fleet_phase phase)
{
    report_update(report, phase, board->count / FLEET_SEATS);
    return manager_heard();
}

START_TEST(nobody_to_tell_is_fine)
{
    unsetenv("NOTIFY_SOCKET");
    report = report_new(base, board, ping, pings);
    ck_assert_ptr_null(report);
    report_update(report, FLEET_SERVING, board->count / FLEET_SEATS);
}
END_TEST

START_TEST(the_service_is_ready_when_every_slot_is)
{
    start();
    put(0, WORKER_BOOTING);
    ck_assert_str_eq(after(FLEET_STARTING), "");
    put(0, WORKER_READY);
    ck_assert_str_eq(after(FLEET_SERVING), "STATUS=1 of 2 workers ready");
    ck_assert_str_eq(after(FLEET_SERVING), "");
    put(FLEET_SEATS, WORKER_READY);
    ck_assert_str_eq(after(FLEET_SERVING), "READY=1\nSTATUS=2 workers ready");
    ck_assert_str_eq(after(FLEET_SERVING), "");
}
END_TEST

START_TEST(a_worker_that_is_stalled_does_not_serve)
{
    start();
    put(0, WORKER_READY);
    put(FLEET_SEATS, WORKER_READY);
    after(FLEET_SERVING);
    scoreboard_set(board->rows[0].stalled, 1);
    ck_assert_str_eq(after(FLEET_SERVING), "STATUS=1 of 2 workers ready");
}
END_TEST

START_TEST(a_loss_and_its_mending_are_a_status)
{
    start();
    put(0, WORKER_READY);
    put(FLEET_SEATS, WORKER_READY);
    after(FLEET_SERVING);
    put(0, WORKER_NONE);
    ck_assert_str_eq(after(FLEET_SERVING), "STATUS=1 of 2 workers ready");
    put(FLEET_SEATS, WORKER_NONE);
    ck_assert_str_eq(after(FLEET_SERVING), "STATUS=0 of 2 workers ready");
    put(0, WORKER_READY);
    put(FLEET_SEATS, WORKER_READY);
    ck_assert_str_eq(after(FLEET_SERVING), "STATUS=2 workers ready");
}
END_TEST

START_TEST(a_successor_is_no_news)
{
    start();
    put(0, WORKER_READY);
    put(FLEET_SEATS, WORKER_READY);
    after(FLEET_SERVING);
    put(1, WORKER_READY);
    ck_assert_str_eq(after(FLEET_SERVING), "");
    put(0, WORKER_DRAINING);
    ck_assert_str_eq(after(FLEET_SERVING), "");
}
END_TEST

static const struct {
    enum fleet_phase phase;
    const char *says;
} stops[] = {
    {FLEET_DRAINING, "STOPPING=1\nSTATUS=stopping: requests in progress are finished"},
    {FLEET_STOPPING, "STOPPING=1\nSTATUS=stopping"},
    {FLEET_OVER, ""},
};

START_TEST(the_stop_is_told_and_is_the_last)
{
    start();
    ck_assert_str_eq(after(stops[_i].phase), stops[_i].says);
    ck_assert_str_eq(after(FLEET_STOPPING), stops[_i].says[0] != '\0' ? "" : stops[1].says);
    put(0, WORKER_READY);
    ck_assert_str_eq(after(FLEET_KILLING), "");
}
END_TEST

/* Signs of life within so many ms, or until there have been so many. */
static unsigned alive_within(uint64_t ms, unsigned enough)
{
    unsigned count = 0;
    uint64_t end = clock_ms() + ms;
    while (clock_ms() < end && count < enough) {
        event_base_loop(base, EVLOOP_NONBLOCK);
        count += strcmp(manager_heard(), "WATCHDOG=1") == 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return count;
}

static void be_ready(void)
{
    setenv("WATCHDOG_USEC", "400000", 1);
    start();
    put(0, WORKER_READY);
    put(FLEET_SEATS, WORKER_READY);
    ck_assert_ptr_nonnull(strstr(after(FLEET_SERVING), "READY=1"));
}

START_TEST(a_sign_of_life_comes_twice_in_the_time)
{
    be_ready();
    uint64_t begun = clock_ms();
    ck_assert_uint_eq(alive_within(PATIENCE_MS, 6), 6);
    ck_assert_uint_ge(clock_ms() - begun + 100, 5 * WATCHDOG_MS / 2); /* and not more often */
}
END_TEST

START_TEST(one_worker_that_answers_is_enough)
{
    stuck[0] = true;
    be_ready();
    ck_assert_uint_eq(alive_within(PATIENCE_MS, 2), 2);
    ck_assert_uint_eq(pings[0], 1);
}
END_TEST

START_TEST(nothing_comes_while_all_are_stuck_and_they_are_asked_once)
{
    stuck[0] = stuck[FLEET_SEATS] = true;
    be_ready();
    ck_assert_uint_eq(alive_within(2 * WATCHDOG_MS, 1), 0);
    ck_assert_uint_eq(pings[0] + pings[FLEET_SEATS], 2);
    stuck[0] = false;
    scoreboard_add(board->rows[0].progress, 1); /* it has read its messages */
    ck_assert_uint_eq(alive_within(PATIENCE_MS, 2), 2);
}
END_TEST

static const enum worker_state idle_states[] = {WORKER_NONE, WORKER_BOOTING, WORKER_LOADED};

START_TEST(who_does_not_serve_is_not_asked)
{
    be_ready();
    unsigned before = pings[0];
    put(0, idle_states[_i]);
    put(FLEET_SEATS, idle_states[_i]);
    ck_assert_uint_eq(alive_within(WATCHDOG_MS, 1), 0);
    ck_assert_uint_eq(pings[0], before);
}
END_TEST

START_TEST(a_successors_first_turns_are_no_answer)
{
    stuck[0] = stuck[FLEET_SEATS] = true;
    be_ready();
    scoreboard_set(board->rows[0].pid, 7);
    scoreboard_add(board->rows[0].progress, 5);
    ck_assert_uint_eq(alive_within(WATCHDOG_MS, 1), 0);
    ck_assert_uint_eq(pings[0], 2);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, nobody_to_tell_is_fine);
    tcase_add_test(tests, the_service_is_ready_when_every_slot_is);
    tcase_add_test(tests, a_worker_that_is_stalled_does_not_serve);
    tcase_add_test(tests, a_loss_and_its_mending_are_a_status);
    tcase_add_test(tests, a_successor_is_no_news);
    unit_add_rows(tests, the_stop_is_told_and_is_the_last, stops);
    tcase_add_test(tests, a_sign_of_life_comes_twice_in_the_time);
    tcase_add_test(tests, one_worker_that_answers_is_enough);
    tcase_add_test(tests, nothing_comes_while_all_are_stuck_and_they_are_asked_once);
    unit_add_rows(tests, who_does_not_serve_is_not_asked, idle_states);
    tcase_add_test(tests, a_successors_first_turns_are_no_answer);
}

int main(void)
{
    return unit_run("master/report", add);
}
