/*
 * Stalls: workers that are only rows of a scoreboard; some turn when they are asked to, others stand still or have no descriptor.
 */
#include "master/stalls.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

enum { SLOTS = 2, ROWS = SLOTS * FLEET_SEATS, ENOUGH = 200 };

static struct scoreboard *board;
static struct unserved_slots *unserved;
static struct stalls *stalls;
static struct options *options;
static unsigned pings[ROWS];
static enum replacement replaced[ROWS];
static bool still[ROWS];
static pid_t pids[ROWS]; /* as the master knows them */

static void ping(void *context, unsigned row)
{
    (void)context;
    pings[row]++;
    if (!still[row])
        scoreboard_add(board->rows[row].progress, 1);
}

static void replace(void *context, unsigned row, enum replacement why)
{
    (void)context;
    replaced[row] = why;
}

static pid_t pid_of(void *context, unsigned row)
{
    (void)context;
    return pids[row];
}

static void set_up(void)
{
    const struct stalls_actions actions = {ping, replace, pid_of, NULL};
    board = scoreboard_new(ROWS, 1);
    unserved = unserved_slots_new(board, SLOTS, NULL, 0);
    stalls = stalls_new(board, unserved, &actions);
    options = calloc(1, sizeof(*options));
    options->timeout = options->graceful_timeout = 10000;
    options->worker_connections = 100;
}

static void tear_down(void)
{
    stalls_free(stalls);
    unserved_slots_free(unserved);
    scoreboard_free(board);
    free(options);
}

static struct scoreboard_row *serve(unsigned row, pid_t pid, uint32_t connections)
{
    scoreboard_set(board->rows[row].state, WORKER_READY);
    scoreboard_set(board->rows[row].pid, 1); /* what the worker says is not believed */
    pids[row] = pid;
    scoreboard_set(board->rows[row].connections, connections);
    return &board->rows[row];
}

static bool is_stalled(unsigned row)
{
    return scoreboard_get(board->rows[row].stalled) != 0;
}

/* How many looks it takes until `row` is stalled or is not; ENOUGH: it never is. */
static int look_until(unsigned row, bool stalled)
{
    int looks = 0;
    for (; looks < ENOUGH && is_stalled(row) != stalled; looks++)
        stalls_look(stalls, options);
    return looks;
}

START_TEST(a_worker_that_turns_when_asked_is_well)
{
    serve(0, getpid(), 1);
    ck_assert_int_eq(look_until(0, true), ENOUGH);
    ck_assert_uint_gt(pings[0], 5);
    ck_assert_uint_lt(pings[0], ENOUGH / 5);
}
END_TEST

START_TEST(a_worker_for_which_nobody_waits_is_left_alone)
{
    serve(0, getpid(), 0);
    still[0] = true;
    ck_assert_int_eq(look_until(0, true), ENOUGH);
    ck_assert_uint_eq(pings[0], 0);
}
END_TEST

START_TEST(one_that_stands_still_is_marked_then_replaced)
{
    struct scoreboard_row *row = serve(2, getpid(), 1);
    serve(0, getppid(), 1);
    still[2] = true;
    int looks = look_until(2, true);
    ck_assert_int_gt(looks, 10);
    ck_assert_int_lt(looks, 50);
    ck_assert_uint_eq(pings[2], 1);
    ck_assert_int_eq(replaced[2], REPLACE_NOT);
    while (looks++ <= 20000 / STALLS_LOOK_MS)
        stalls_look(stalls, options);
    ck_assert_int_eq(replaced[2], REPLACE_STALLED);
    ck_assert(!is_stalled(0) && replaced[0] == REPLACE_NOT);
    scoreboard_add(row->progress, 1);
    ck_assert_int_eq(look_until(2, false), 1);
}
END_TEST

START_TEST(without_a_timeout_none_is_replaced)
{
    options->timeout = 0;
    serve(0, getpid(), 1);
    still[0] = true;
    look_until(0, true);
    ck_assert(is_stalled(0));
    look_until(0, false);
    ck_assert_int_eq(replaced[0], REPLACE_NOT);
}
END_TEST

START_TEST(a_successor_begins_anew)
{
    serve(0, getpid(), 1);
    still[0] = true;
    int looks = look_until(0, true);
    serve(0, getppid(), 1);
    scoreboard_set(board->rows[0].stalled, 0); /* as the one who forks it does */
    ck_assert_int_ge(look_until(0, true), looks);
}
END_TEST

/* Turns at each look, as a worker does that tries to accept. */
static void starve(unsigned row, int looks)
{
    scoreboard_set(board->rows[row].intake, INTAKE_NO_DESCRIPTORS);
    for (int i = 0; i < looks; i++) {
        scoreboard_add(board->rows[row].progress, 1);
        stalls_look(stalls, options);
    }
}

/* A process with so many descriptors, and a limit, until the end of the test. */
static pid_t start_holder(int descriptors, rlim_t limit)
{
    int ready[2], end[2];
    char byte;
    ck_assert(pipe(ready) == 0 && pipe(end) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit soft = {limit, limit};
        for (int i = 0; i < descriptors; i++)
            ck_assert_int_ge(dup(STDIN_FILENO), 0);
        close(end[1]);
        if (setrlimit(RLIMIT_NOFILE, &soft) < 0 || write(ready[1], "", 1) != 1)
            _exit(1);
        _exit(read(end[0], &byte, 1) == 0 ? 0 : 1);
    }
    close(ready[1]);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    return pid;
}

static const struct {
    const char *what;
    int descriptors;
    rlim_t limit;
    uint32_t connections;
    bool replaced;
} holders[] = {
    {"the application holds them", 200, 210, 3, true},
    {"connections do", 200, 210, 180, false},
    {"the limit is lower than connections need", 50, 20, 40, true},
};

START_TEST(without_descriptors_a_worker_is_replaced_when_the_application_has_them)
{
    pid_t pid = start_holder(holders[_i].descriptors, holders[_i].limit);
    serve(0, pid, holders[_i].connections);
    starve(0, 20);
    ck_assert_int_eq(replaced[0], REPLACE_NOT);
    starve(0, 10);
    ck_assert_msg((replaced[0] == REPLACE_STARVED) == holders[_i].replaced, "%s", holders[_i].what);
    ck_assert_int_eq(is_stalled(0), holders[_i].replaced);
    scoreboard_set(board->rows[0].intake, INTAKE_OPEN);
    look_until(0, false);
    ck_assert(!is_stalled(0));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_worker_that_turns_when_asked_is_well);
    tcase_add_test(tests, a_worker_for_which_nobody_waits_is_left_alone);
    tcase_add_test(tests, one_that_stands_still_is_marked_then_replaced);
    tcase_add_test(tests, without_a_timeout_none_is_replaced);
    tcase_add_test(tests, a_successor_begins_anew);
    tcase_add_loop_test(tests, without_descriptors_a_worker_is_replaced_when_the_application_has_them, 0,
                        sizeof(holders) / sizeof(holders[0]));
}

int main(void)
{
    return unit_run("master/stalls", add);
}
