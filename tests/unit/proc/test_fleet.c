/*
 * The fleet, with workers that are only written down and a clock that is set: who is forked, told and killed, and when.
 *
 * What is done is a line of text: "fork 0.0" (slot 0, seat 0), "retire 0.0", "drain 0.0", "quit 0.0", "kill 0.0".
 */
#include "proc/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proc/worker.h"
#include "unit.h"

enum { GRACEFUL_MS = 1000, KILL_GRACE_MS = 2000 };

static struct fleet *fleet;
static uint64_t now;
static char done[1024];
static bool forks_fail;

static void note(const char *what, struct berth berth)
{
    size_t used = strlen(done);
    snprintf(done + used, sizeof(done) - used, "%s%s %u.%u", used > 0 ? ", " : "", what, berth.slot,
             berth.seat);
}

static int fork_one(void *context, struct berth berth)
{
    (void)context;
    note("fork", berth);
    errno = EAGAIN;
    return forks_fail ? -1 : 0;
}

static void tell(void *context, struct berth berth, enum message_kind kind)
{
    (void)context;
    note(kind == MESSAGE_RETIRE ? "retire" : kind == MESSAGE_DRAIN ? "drain" : "quit", berth);
}

static void kill_one(void *context, struct berth berth)
{
    (void)context;
    note("kill", berth);
}

/* All that was done since the last look. */
#define assert_done(expected)             \
    do {                                  \
        ck_assert_str_eq(done, expected); \
        done[0] = '\0';                   \
    } while (0)

static void begin(unsigned slots)
{
    static const struct fleet_actions actions = {fork_one, tell, kill_one, NULL};
    fleet = fleet_new(slots, &actions, GRACEFUL_MS);
    now = 1000;
    done[0] = '\0';
    forks_fail = false;
    fleet_start(fleet, now);
}

static void tear_down(void)
{
    fleet_free(fleet);
}

static void ready(unsigned slot, unsigned seat)
{
    fleet_ready(fleet, (struct berth){slot, seat}, now);
}

static void ended(unsigned slot, unsigned seat, enum worker_state state)
{
    struct fleet_end end = {.pid = 7, .state = state, .as_asked = true, .how = "ended"};
    fleet_ended(fleet, (struct berth){slot, seat}, &end, now);
}

static void ask(unsigned slot, unsigned seat)
{
    fleet_replace(fleet, (struct berth){slot, seat}, now);
}

/* On to the time when the fleet wants to be told. */
static void await_due(void)
{
    uint64_t due = fleet_due(fleet);
    ck_assert_uint_gt(due, now);
    now = due;
    fleet_tick(fleet, now);
}

static void begin_serving(unsigned slots)
{
    begin(slots);
    ready(0, 0);
    for (unsigned i = 1; i < slots; i++)
        ready(i, 0);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_SERVING);
    done[0] = '\0';
}

START_TEST(the_first_worker_imports_alone_and_the_others_follow)
{
    begin(3);
    assert_done("fork 0.0");
    ck_assert_int_eq(fleet_phase(fleet), FLEET_STARTING);
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ready(0, 0);
    assert_done("fork 1.0, fork 2.0");
    ck_assert_int_eq(fleet_phase(fleet), FLEET_SERVING);
    ready(1, 0);
    ready(1, 0); /* once is enough */
    ready(2, 0);
    assert_done("");
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

static const struct {
    const char *name;
    enum worker_state state;
    int status;
} first_ends[] = {
    {"it could not load the application, and has said so", WORKER_FAILED, EXIT_APPLICATION},
    {"the application ended it", WORKER_BOOTING, EXIT_APPLICATION},
    {"it could not serve", WORKER_LOADED, EXIT_FAILURE_RUNTIME},
};

START_TEST(a_first_worker_that_ends_is_the_end)
{
    begin(2);
    ended(0, 0, first_ends[_i].state);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    ck_assert_msg(fleet_exit_status(fleet) == first_ends[_i].status, "%s", first_ends[_i].name);
    assert_done("fork 0.0");
}
END_TEST

START_TEST(a_first_worker_that_can_not_be_forked_is_the_end)
{
    static const struct fleet_actions actions = {fork_one, tell, kill_one, NULL};
    forks_fail = true;
    fleet = fleet_new(2, &actions, GRACEFUL_MS);
    fleet_start(fleet, 1);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    ck_assert_int_eq(fleet_exit_status(fleet), EXIT_FAILURE_RUNTIME);
}
END_TEST

START_TEST(a_worker_that_dies_is_replaced_at_once_and_then_with_growing_pauses)
{
    begin_serving(2);
    ended(1, 0, WORKER_READY);
    assert_done("fork 1.0");
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        ended(1, 0, WORKER_BOOTING);
        assert_done("");
        uint64_t pause = fleet_due(fleet) - now;
        ck_assert_uint_gt(pause, before);
        fleet_tick(fleet, now + pause - 1);
        assert_done("");
        await_due();
        assert_done("fork 1.0");
        before = pause;
    }
    ready(1, 0);
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

START_TEST(a_fork_that_fails_is_tried_again)
{
    begin_serving(2);
    forks_fail = true;
    ended(1, 0, WORKER_READY);
    assert_done("fork 1.0");
    await_due();
    assert_done("fork 1.0");
    forks_fail = false;
    await_due();
    assert_done("fork 1.0");
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

START_TEST(a_successor_is_ready_before_its_predecessor_leaves)
{
    begin_serving(2);
    ask(1, 0);
    ask(1, 0); /* it may insist */
    assert_done("fork 1.1");
    now += 10000; /* to import may take long */
    fleet_tick(fleet, now);
    assert_done("");
    ready(1, 1);
    assert_done("retire 1.0");
    ended(1, 0, WORKER_DRAINING);
    assert_done("");
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ask(1, 1); /* and back */
    assert_done("fork 1.0");
}
END_TEST

START_TEST(a_predecessor_that_does_not_leave_is_killed)
{
    begin_serving(1);
    ask(0, 0);
    ready(0, 1);
    assert_done("fork 0.1, retire 0.0");
    ck_assert_uint_eq(fleet_due(fleet), now + GRACEFUL_MS + KILL_GRACE_MS);
    await_due();
    assert_done("kill 0.0");
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ended(0, 0, WORKER_DRAINING);
    assert_done("");
}
END_TEST

START_TEST(a_successor_that_fails_is_tried_again_and_its_predecessor_stays)
{
    begin_serving(1);
    ask(0, 0);
    assert_done("fork 0.1");
    ended(0, 1, WORKER_FAILED); /* the first time without a pause */
    assert_done("fork 0.1");
    ended(0, 1, WORKER_BOOTING);
    assert_done("");
    await_due();
    assert_done("fork 0.1");
    ready(0, 1);
    assert_done("retire 0.0");
}
END_TEST

START_TEST(a_predecessor_that_dies_early_has_its_successor)
{
    begin_serving(1);
    ask(0, 0);
    assert_done("fork 0.1");
    ended(0, 0, WORKER_READY);
    assert_done("");
    ready(0, 1);
    assert_done("");
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

START_TEST(with_both_seats_taken_the_next_successor_waits)
{
    begin_serving(1);
    ask(0, 0);
    ready(0, 1);
    assert_done("fork 0.1, retire 0.0");
    ask(0, 1);
    assert_done("");
    ended(0, 0, WORKER_DRAINING);
    assert_done("fork 0.0");
}
END_TEST

START_TEST(a_worker_that_dies_while_its_predecessor_leaves_is_replaced)
{
    begin_serving(1);
    ask(0, 0);
    ready(0, 1);
    assert_done("fork 0.1, retire 0.0");
    ended(0, 1, WORKER_READY);
    assert_done("fork 0.1");
}
END_TEST

START_TEST(only_who_serves_can_be_replaced)
{
    begin(1);
    ask(0, 0);
    assert_done("fork 0.0");
    ready(0, 0);
    ask(0, 1);
    assert_done("");
    fleet_drain(fleet, now);
    ask(0, 0);
    assert_done("drain 0.0");
}
END_TEST

START_TEST(a_drain_tells_who_serves_kills_who_imports_and_waits_for_all)
{
    begin_serving(3);
    ended(2, 0, WORKER_READY);
    ask(1, 0);
    ready(1, 1);
    assert_done("fork 2.0, fork 1.1, retire 1.0");
    fleet_drain(fleet, now);
    fleet_drain(fleet, now);
    assert_done("drain 0.0, drain 1.1, kill 2.0");
    ended(2, 0, WORKER_BOOTING);
    ended(1, 0, WORKER_DRAINING);
    ended(1, 1, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_DRAINING);
    await_due();
    assert_done("kill 0.0");
    ended(0, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    ck_assert_int_eq(fleet_exit_status(fleet), EXIT_STOPPED);
    assert_done("");
}
END_TEST

START_TEST(a_stop_during_the_start_is_not_a_failure)
{
    begin(2);
    fleet_drain(fleet, now);
    assert_done("fork 0.0, kill 0.0");
    ended(0, 0, WORKER_BOOTING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    ck_assert_int_eq(fleet_exit_status(fleet), EXIT_STOPPED);
}
END_TEST

START_TEST(to_quit_twice_kills)
{
    begin_serving(2);
    fleet_drain(fleet, now);
    assert_done("drain 0.0, drain 1.0");
    fleet_quit(fleet, now);
    assert_done("quit 0.0, quit 1.0");
    ended(1, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_STOPPING);
    fleet_quit(fleet, now);
    assert_done("kill 0.0");
    ended(0, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
}
END_TEST

START_TEST(to_quit_has_a_deadline)
{
    begin_serving(1);
    fleet_quit(fleet, now);
    assert_done("quit 0.0");
    await_due();
    assert_done("kill 0.0");
}
END_TEST

START_TEST(with_nobody_there_a_stop_is_over_at_once)
{
    begin_serving(1);
    ended(0, 0, WORKER_READY);
    ended(0, 0, WORKER_BOOTING);
    assert_done("fork 0.0");
    fleet_drain(fleet, now);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_first_worker_imports_alone_and_the_others_follow);
    unit_add_rows(tests, a_first_worker_that_ends_is_the_end, first_ends);
    tcase_add_test(tests, a_first_worker_that_can_not_be_forked_is_the_end);
    tcase_add_test(tests, a_worker_that_dies_is_replaced_at_once_and_then_with_growing_pauses);
    tcase_add_test(tests, a_fork_that_fails_is_tried_again);
    tcase_add_test(tests, a_successor_is_ready_before_its_predecessor_leaves);
    tcase_add_test(tests, a_predecessor_that_does_not_leave_is_killed);
    tcase_add_test(tests, a_successor_that_fails_is_tried_again_and_its_predecessor_stays);
    tcase_add_test(tests, a_predecessor_that_dies_early_has_its_successor);
    tcase_add_test(tests, with_both_seats_taken_the_next_successor_waits);
    tcase_add_test(tests, a_worker_that_dies_while_its_predecessor_leaves_is_replaced);
    tcase_add_test(tests, only_who_serves_can_be_replaced);
    tcase_add_test(tests, a_drain_tells_who_serves_kills_who_imports_and_waits_for_all);
    tcase_add_test(tests, a_stop_during_the_start_is_not_a_failure);
    tcase_add_test(tests, to_quit_twice_kills);
    tcase_add_test(tests, to_quit_has_a_deadline);
    tcase_add_test(tests, with_nobody_there_a_stop_is_over_at_once);
}

int main(void)
{
    return unit_run("proc/fleet", add);
}
