/*
 * The fleet, with workers that are only written down and a clock that is set: which workers are
 * forked, told and killed, and when.
 *
 * Each action is a line of text: "fork 0.0" (slot 0, seat 0), "retire 0.0", "drain 0.0", "quit
 * 0.0", "kill 0.0".
 */
#include "base/exit_status.h"
#include "fleet/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "unit.h"

enum { GRACEFUL_MS = 1000, KILL_GRACE_MS = 2000, BOOT_MS = 5000, PROVING_MS = 2000 };

static struct fleet *fleet;
static uint64_t now;
static char done[1024];
static bool forks_fail;

static void note(const char *what, struct seat_id seat_id)
{
    size_t used = strlen(done);
    snprintf(done + used, sizeof(done) - used, "%s%s %u.%u", used > 0 ? ", " : "", what, seat_id.slot,
             seat_id.seat);
}

/* The first generation is the usual one. */
static int fork_one(void *context, struct seat_id seat_id, unsigned generation)
{
    char what[32] = "fork";
    (void)context;
    if (generation > 1)
        snprintf(what, sizeof(what), "fork(%u)", generation);
    note(what, seat_id);
    errno = EAGAIN;
    return forks_fail ? -1 : 0;
}

static void reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    size_t used = strlen(done);
    (void)context, (void)words;
    snprintf(done + used, sizeof(done) - used, "%s%s %u", used > 0 ? ", " : "",
             failure == NULL ? "reloaded" : "dropped", generation);
}

static void tell(void *context, struct seat_id seat_id, enum message_kind kind)
{
    (void)context;
    note(kind == MESSAGE_RETIRE ? "retire" : kind == MESSAGE_DRAIN ? "drain" : "quit", seat_id);
}

static int ill = -1; /* the slot whose worker ails */

static bool ails(void *context, struct seat_id seat_id)
{
    (void)context;
    return (int)seat_id.slot == ill;
}

static enum kill_reason killed_for;

static void kill_one(void *context, struct seat_id seat_id, enum kill_reason why)
{
    (void)context;
    killed_for = why;
    note("kill", seat_id);
}

static void ask_stacks(void *context, struct seat_id seat_id)
{
    (void)context;
    note("ask", seat_id);
}

static void boots_slowly(void *context, struct seat_id seat_id)
{
    (void)context;
    note("slow", seat_id);
}

static unsigned restarts[RESTART_CAUSES];

static void restarted(void *context, const struct worker_end *end, enum restart_cause cause)
{
    (void)context, (void)end;
    restarts[cause]++;
}

/* Compares all that was done since the last look. */
#define assert_done(expected)             \
    do {                                  \
        ck_assert_str_eq(done, expected); \
        done[0] = '\0';                   \
    } while (0)

static const struct fleet_actions actions = {.fork = fork_one,
                                             .tell = tell,
                                             .kill = kill_one,
                                             .ask_stacks = ask_stacks,
                                             .boots_slowly = boots_slowly,
                                             .ails = ails,
                                             .reloaded = reloaded,
                                             .restarted = restarted};
static const struct fleet_limits limits = {
    .graceful_ms = GRACEFUL_MS, .boot_ms = BOOT_MS, .proving_ms = PROVING_MS};

static void begin(unsigned slots)
{
    fleet = fleet_new(slots, &actions, &limits);
    now = 1000;
    done[0] = '\0';
    memset(restarts, 0, sizeof(restarts));
    forks_fail = false;
    fleet_start(fleet, now);
}

static void tear_down(void)
{
    fleet_free(fleet);
}

static void ready(unsigned slot, unsigned seat)
{
    fleet_ready(fleet, (struct seat_id){slot, seat}, now);
}

static void ended(unsigned slot, unsigned seat, enum worker_state state)
{
    struct worker_end end = {.pid = 7, .state = state, .as_asked = true, .how = "ended"};
    fleet_ended(fleet, (struct seat_id){slot, seat}, &end, now);
}

static void ask(unsigned slot, unsigned seat)
{
    fleet_replace(fleet, (struct seat_id){slot, seat}, REPLACE_ASKED, now);
}

static void plan(unsigned slot, unsigned seat)
{
    fleet_replace(fleet, (struct seat_id){slot, seat}, REPLACE_PLANNED, now);
}

/* Goes on to the time when the fleet is due. */
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

START_TEST(a_first_worker_that_cannot_be_forked_is_the_end)
{
    forks_fail = true;
    fleet = fleet_new(2, &actions, &limits);
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
    ready(1, 0);
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

START_TEST(a_successor_is_ready_before_its_predecessor_leaves)
{
    begin_serving(2);
    ask(1, 0);
    ask(1, 0); /* it may ask again */
    assert_done("fork 1.1");
    await_due(); /* an import may take long */
    await_due();
    now += 10000;
    fleet_tick(fleet, now);
    assert_done("ask 1.1, slow 1.1");
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

START_TEST(only_a_worker_that_serves_can_be_replaced)
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

START_TEST(a_drain_tells_workers_that_serve_kills_those_that_import_and_waits_for_all)
{
    begin_serving(3);
    ended(2, 0, WORKER_READY);
    ask(1, 0);
    ready(1, 1);
    assert_done("fork 2.0, fork 1.1, retire 1.0");
    fleet_drain(fleet, now);
    fleet_drain(fleet, now);
    assert_done("drain 0.0, drain 1.0, drain 1.1, kill 2.0");
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

/* The master may learn that a worker is ready when it has already killed it for not being so. */
START_TEST(who_is_killed_while_it_boots_is_not_told_of)
{
    char name[] = "/tmp/gateway-unit-fleet-XXXXXX", text[1024] = "";
    int fd = mkstemp(name);
    const struct log_options log = {.path = name, .level = LOG_INFO};
    ck_assert_int_eq(log_open(&log), 0);
    begin_serving(2);
    ask(1, 0);
    assert_done("fork 1.1");
    fleet_drain(fleet, now);
    struct worker_end killed = {.slot = 1, .pid = 7, .state = WORKER_READY, .how = "was killed"};
    fleet_ended(fleet, (struct seat_id){1, 1}, &killed, now);
    ck_assert_int_ge(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_ptr_null(strstr(text, "was killed"));
    fleet_ended(fleet, (struct seat_id){1, 0}, &killed, now);
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "was killed"));
    close(fd);
    unlink(name);
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
    ck_assert_uint_eq(fleet_due(fleet), now + GRACEFUL_MS + KILL_GRACE_MS);
    await_due();
    assert_done("kill 0.0");
}
END_TEST

START_TEST(without_workers_a_stop_is_over_at_once)
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

START_TEST(planned_replacements_are_made_one_at_a_time)
{
    begin_serving(3);
    plan(0, 0);
    plan(1, 0);
    assert_done("fork 0.1");
    ask(2, 0); /* this worker cannot wait */
    assert_done("fork 2.1");
    ready(0, 1);
    assert_done("retire 0.0");
    ready(2, 1);
    assert_done("retire 2.0, fork 1.1");
    ready(1, 1);
    assert_done("retire 1.0");
}
END_TEST

START_TEST(a_reload_begins_with_a_probe_and_goes_on_slot_by_slot)
{
    begin_serving(3);
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    now += 100;
    ready(0, 1);
    assert_done("");
    ck_assert_uint_eq(fleet_due(fleet), now + PROVING_MS);
    await_due();
    assert_done("retire 0.0, fork(2) 1.1");
    ready(1, 1);
    assert_done("retire 1.0, fork(2) 2.1");
    ready(2, 1);
    assert_done("retire 2.0, reloaded 2");
    for (unsigned i = 0; i < 3; i++)
        ended(i, 0, WORKER_DRAINING);
    assert_done("");
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ended(1, 1, WORKER_READY); /* the next worker is of the new generation */
    assert_done("fork(2) 1.0");
}
END_TEST

static void begin_developing(unsigned slots)
{
    struct fleet_limits developing = limits;
    developing.proving_ms = 0;
    developing.impatient = true;
    fleet = fleet_new(slots, &actions, &developing);
    now = 1000;
    fleet_start(fleet, now);
    for (unsigned i = 0; i < slots; i++)
        ready(i, 0);
    done[0] = '\0';
}

START_TEST(without_a_time_to_prove_itself_a_probe_takes_over_when_it_is_ready)
{
    begin_developing(2);
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    ready(0, 1);
    assert_done("retire 0.0, fork(2) 1.1");
    ready(1, 1);
    assert_done("retire 1.0, reloaded 2");
}
END_TEST

START_TEST(without_a_time_to_prove_itself_a_probe_that_is_not_ready_is_dropped_all_the_same)
{
    begin_developing(1);
    fleet_reload(fleet, now);
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    ended(0, 1, WORKER_FAILED);
    assert_done("dropped 2, fork(2) 0.1");
    ready(0, 1);
    assert_done("retire 0.0, reloaded 2");
}
END_TEST

START_TEST(an_impatient_reload_does_not_wait_for_workers_that_leave)
{
    begin_developing(2);
    fleet_reload(fleet, now);
    ready(0, 1);
    ended(0, 0, WORKER_DRAINING);
    ready(1, 1);
    assert_done("fork(2) 0.1, retire 0.0, fork(2) 1.1, retire 1.0, reloaded 2");
    fleet_reload(fleet, now);
    assert_done("quit 1.0, fork(3) 0.0"); /* 0.0 was empty: nothing changes there */
    ready(0, 0);
    assert_done("retire 0.1");
    ended(1, 0, WORKER_DRAINING);
    assert_done("fork(3) 1.0");
    ready(1, 0);
    assert_done("retire 1.1, reloaded 3");
}
END_TEST

static const struct {
    const char *name;
    bool is_ready;
    enum worker_state state;
} bad_probes[] = {
    {"it could not load the application", false, WORKER_FAILED},
    {"the application ended it while it was imported", false, WORKER_BOOTING},
    {"it crashed soon", true, WORKER_READY},
};

START_TEST(a_generation_whose_probe_fails_is_dropped)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    if (bad_probes[_i].is_ready)
        ready(0, 1);
    now += 10;
    ended(0, 1, bad_probes[_i].state);
    assert_done("dropped 2");
    ck_assert_msg(fleet_due(fleet) == 0, "%s: nothing else happens", bad_probes[_i].name);
    ended(1, 0, WORKER_READY);
    assert_done("fork 1.0");
    fleet_reload(fleet, now); /* the next worker may be good */
    assert_done("fork(2) 0.1");
}
END_TEST

START_TEST(a_probe_that_is_slow_to_load_is_killed)
{
    begin_serving(1);
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    ck_assert_uint_eq(fleet_due(fleet), now + BOOT_MS);
    await_due();
    assert_done("ask 0.1");
    await_due();
    assert_done("kill 0.1");
    ck_assert_int_eq(killed_for, KILL_SLOW_BOOT);
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ended(0, 1, WORKER_BOOTING);
    assert_done("dropped 2");
}
END_TEST

START_TEST(another_worker_that_is_slow_to_load_is_reported_and_waited_for)
{
    begin(2);
    await_due();
    assert_done("fork 0.0, ask 0.0");
    await_due();
    assert_done("slow 0.0");
    ck_assert_uint_eq(fleet_due(fleet), 0);
    ready(0, 0);
    ready(1, 0);
    ck_assert_uint_eq(fleet_due(fleet), 0);
    assert_done("fork 1.0");
    ended(1, 0, WORKER_READY);
    assert_done("fork 1.0");
    await_due();
    assert_done("ask 1.0");
    ready(1, 0); /* at that moment */
    ck_assert_uint_eq(fleet_due(fleet), 0);
}
END_TEST

START_TEST(a_worker_after_the_probe_that_is_slow_to_load_is_killed_and_tried_again)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ready(0, 1);
    await_due();
    assert_done("fork(2) 0.1, retire 0.0, fork(2) 1.1");
    ended(0, 0, WORKER_DRAINING);
    ck_assert_uint_eq(fleet_due(fleet), now + BOOT_MS);
    await_due();
    assert_done("ask 1.1");
    await_due();
    assert_done("kill 1.1");
    ended(1, 1, WORKER_BOOTING);
    assert_done("fork(2) 1.1");
    ready(1, 1);
    assert_done("retire 1.0, reloaded 2");
}
END_TEST

START_TEST(a_reload_that_is_asked_for_meanwhile_comes_after_it_once)
{
    begin_serving(2);
    for (int i = 0; i < 3; i++)
        fleet_reload(fleet, now);
    ready(0, 1);
    await_due();
    ready(1, 1);
    assert_done("fork(2) 0.1, retire 0.0, fork(2) 1.1, retire 1.0, reloaded 2");
    ended(0, 0, WORKER_DRAINING); /* there is a seat again */
    assert_done("fork(3) 0.0");
    fleet_reload(fleet, now);
    ended(0, 0, WORKER_FAILED);
    assert_done("dropped 3, fork(3) 0.0");
}
END_TEST

START_TEST(a_reload_during_the_start_comes_when_it_is_over)
{
    begin(2);
    fleet_reload(fleet, now);
    assert_done("fork 0.0");
    ready(0, 0);
    assert_done("fork(2) 0.1, fork 1.0");
    ready(0, 1);
    ready(1, 0);
    await_due();
    assert_done("retire 0.0, fork(2) 1.1");
}
END_TEST

START_TEST(who_dies_during_a_probe_is_replaced_by_its_own_generation)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ended(1, 0, WORKER_READY);
    assert_done("fork(2) 0.1, fork 1.0");
    ready(1, 0);
    ended(0, 0, WORKER_READY); /* the predecessor of the probe */
    assert_done("");
    ready(0, 1);
    await_due();
    assert_done("fork(2) 1.1");
    ready(1, 1);
    assert_done("retire 1.0, reloaded 2");
}
END_TEST

START_TEST(when_probe_and_predecessor_die_the_old_generation_comes_back)
{
    begin_serving(1);
    fleet_reload(fleet, now);
    ready(0, 1);
    ended(0, 0, WORKER_READY);
    assert_done("fork(2) 0.1");
    ended(0, 1, WORKER_READY);
    assert_done("dropped 2, fork 0.0");
}
END_TEST

START_TEST(a_successor_that_fails_after_the_proof_is_tried_again)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ready(0, 1);
    await_due();
    assert_done("fork(2) 0.1, retire 0.0, fork(2) 1.1");
    ended(1, 1, WORKER_FAILED);
    assert_done("fork(2) 1.1");
    ended(1, 1, WORKER_FAILED);
    assert_done("");
    await_due();
    assert_done("fork(2) 1.1");
    fleet_reload(fleet, now); /* by a user who has mended the code */
    assert_done("");
    ended(1, 1, WORKER_FAILED);
    assert_done("");
    ended(0, 0, WORKER_DRAINING);
    assert_done("fork(3) 0.0");
    ready(0, 0);
    await_due();
    assert_done("retire 0.1, fork(3) 1.1");
}
END_TEST

START_TEST(a_probe_waits_for_a_seat)
{
    begin_serving(1);
    ask(0, 0);
    ready(0, 1);
    assert_done("fork 0.1, retire 0.0");
    fleet_reload(fleet, now);
    assert_done("");
    ended(0, 0, WORKER_DRAINING);
    assert_done("fork(2) 0.0");
}
END_TEST

START_TEST(a_stuck_worker_is_replaced_during_a_reload)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ask(1, 0);
    assert_done("fork(2) 0.1, fork 1.1");
    ready(1, 1);
    assert_done("retire 1.0");
    ready(0, 1);
    await_due();
    assert_done("retire 0.0");
    ended(1, 0, WORKER_DRAINING);
    assert_done("fork(2) 1.0");
    ready(1, 0);
    assert_done("retire 1.1, reloaded 2");
}
END_TEST

START_TEST(a_stop_during_a_reload_is_a_stop)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ready(0, 1);
    fleet_drain(fleet, now);
    assert_done("fork(2) 0.1, dropped 2, drain 0.0, drain 0.1, drain 1.0");
    ended(0, 1, WORKER_READY);
    ended(0, 0, WORKER_DRAINING);
    ended(1, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    fleet_reload(fleet, now);
    assert_done("");
}
END_TEST

START_TEST(a_stop_is_also_the_end_of_a_reload_that_has_not_begun)
{
    begin(1);
    fleet_reload(fleet, now);
    fleet_quit(fleet, now);
    assert_done("fork 0.0, dropped 1, kill 0.0");
    fleet_quit(fleet, now);
    assert_done("kill 0.0");
}
END_TEST

/* A user who asks for a reload waits for the next one that begins. */
START_TEST(reloads_are_counted_as_they_begin)
{
    struct fleet_status status;
    begin_serving(1);
    fleet_reload(fleet, now);
    fleet_reload(fleet, now);
    fleet_describe(fleet, &status);
    ck_assert(status.reloading);
    ck_assert_uint_eq(status.reloads, 1);
    ck_assert_uint_eq(status.generation, 1);
    ck_assert_int_eq(fleet_seat(fleet, (struct seat_id){0, 0}), SEAT_SERVING);
    ck_assert_int_eq(fleet_seat(fleet, (struct seat_id){0, 1}), SEAT_BOOTING);
    ended(0, 1, WORKER_FAILED);
    assert_done("fork(2) 0.1, dropped 2, fork(2) 0.1");
    ready(0, 1);
    await_due();
    fleet_describe(fleet, &status);
    ck_assert(!status.reloading);
    ck_assert_uint_eq(status.reloads, 2);
    ck_assert_uint_eq(status.generation, 2);
    ck_assert_uint_eq(status.lost, 0);
    ended(0, 1, WORKER_READY);
    fleet_describe(fleet, &status);
    ck_assert_uint_eq(status.lost, 1);
}
END_TEST

static void begin_with_room(unsigned slots, unsigned room)
{
    struct fleet_limits more = limits;
    more.slots = slots + room;
    fleet = fleet_new(slots, &actions, &more);
    now = 1000;
    forks_fail = false;
    fleet_start(fleet, now);
    for (unsigned i = 0; i < slots; i++)
        ready(i, 0);
    done[0] = '\0';
}

START_TEST(a_fleet_grows_and_shrinks_at_its_end)
{
    begin_with_room(2, 1);
    ck_assert_int_eq(fleet_resize(fleet, 1, now), 0);
    assert_done("fork 2.0");
    ck_assert_msg(fleet_resize(fleet, 1, now) < 0, "there is no more room");
    ready(2, 0);
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    assert_done("retire 2.0");
    ck_assert_uint_eq(fleet_due(fleet), now + GRACEFUL_MS + KILL_GRACE_MS);
    ended(2, 0, WORKER_DRAINING);
    assert_done("");
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    assert_done("retire 1.0");
    ck_assert_msg(fleet_resize(fleet, -1, now) < 0, "one is the least");
    ck_assert_int_eq(fleet_resize(fleet, 1, now), 0); /* beside the worker that is still leaving */
    assert_done("fork 1.1");
    ended(1, 0, WORKER_DRAINING);
    ready(1, 1);
    assert_done("");
}
END_TEST

START_TEST(a_worker_that_imports_in_a_slot_that_goes_is_killed)
{
    begin_with_room(2, 0);
    ask(1, 0);
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    assert_done("fork 1.1, retire 1.0, kill 1.1");
    ended(1, 1, WORKER_BOOTING);
    ended(1, 0, WORKER_DRAINING);
    assert_done("");
}
END_TEST

START_TEST(a_reload_is_over_when_the_slot_it_waited_for_goes)
{
    begin_with_room(2, 0);
    fleet_reload(fleet, now);
    ready(0, 1);
    await_due();
    assert_done("fork(2) 0.1, retire 0.0, fork(2) 1.1");
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    assert_done("retire 1.0, kill 1.1, reloaded 2");
}
END_TEST

START_TEST(a_stop_waits_for_workers_of_slots_that_are_gone)
{
    begin_with_room(2, 0);
    fleet_resize(fleet, -1, now);
    fleet_drain(fleet, now);
    assert_done("retire 1.0, drain 0.0, drain 1.0");
    ended(0, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_DRAINING);
    ended(1, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
}
END_TEST

static const struct {
    const char *name;
    int ill;
    enum replacement replaced; /* the worker of slot 0 */
    bool lost;                 /* the same */
    const char *done;
} dispensable[] = {
    {"all are well: the last", -1, REPLACE_NOT, false, "retire 2.0"},
    {"one is ill", 1, REPLACE_NOT, false, "retire 1.0"},
    {"one is stuck", 1, REPLACE_STUCK, false, "fork 0.1, retire 0.0, kill 0.1"},
    {"one is only old", 1, REPLACE_PLANNED, false, "fork 0.1, retire 1.0"},
    {"one is dead", 1, REPLACE_NOT, true, "fork 0.0, kill 0.0"},
};

START_TEST(the_worker_that_does_least_for_clients_is_taken_away)
{
    begin_serving(3);
    done[0] = '\0';
    ill = dispensable[_i].ill;
    if (dispensable[_i].replaced != REPLACE_NOT)
        fleet_replace(fleet, (struct seat_id){0, 0}, dispensable[_i].replaced, now);
    if (dispensable[_i].lost)
        ended(0, 0, WORKER_READY);
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    ck_assert_msg(strcmp(done, dispensable[_i].done) == 0, "%s: %s", dispensable[_i].name, done);
    ck_assert_uint_eq(fleet_slots(fleet), 2);
}
END_TEST

START_TEST(a_slot_in_the_middle_is_used_again)
{
    begin_serving(3);
    done[0] = '\0';
    ill = 1;
    fleet_resize(fleet, -1, now);
    ended(1, 0, WORKER_DRAINING);
    assert_done("retire 1.0");
    fleet_reload(fleet, now);
    assert_done("fork(2) 0.1");
    ready(0, 1);
    now += PROVING_MS;
    fleet_tick(fleet, now);
    ready(2, 1);
    assert_done("retire 0.0, fork(2) 2.1, retire 2.0, reloaded 2");
    fleet_resize(fleet, 1, now);
    assert_done("fork(2) 1.0");
}
END_TEST

START_TEST(a_fleet_that_starts_or_stops_is_not_resized)
{
    begin(1);
    ck_assert_int_lt(fleet_resize(fleet, 1, now), 0);
    ready(0, 0);
    fleet_drain(fleet, now);
    ck_assert_int_lt(fleet_resize(fleet, -1, now), 0);
}
END_TEST

static void assert_restarts(enum restart_cause cause, unsigned count, unsigned all)
{
    unsigned sum = 0;
    for (int i = 0; i < RESTART_CAUSES; i++)
        sum += restarts[i];
    ck_assert_uint_eq(restarts[cause], count);
    ck_assert_uint_eq(sum, all);
}

START_TEST(who_has_to_be_replaced_is_a_restart)
{
    begin_serving(2);
    ended(0, 0, WORKER_READY);
    assert_restarts(RESTART_EXITED, 1, 1);
    ready(0, 0);
    ask(0, 0);
    ready(0, 1);
    assert_restarts(RESTART_ASKED, 0, 1);
    ended(0, 0, WORKER_DRAINING);
    assert_restarts(RESTART_ASKED, 1, 2);
    plan(1, 0);
    ready(1, 1);
    ended(1, 0, WORKER_DRAINING);
    assert_restarts(RESTART_RECYCLED, 1, 3);
    fleet_replace(fleet, (struct seat_id){1, 1}, REPLACE_STUCK, now);
    ended(1, 1, WORKER_READY); /* before its successor is ready */
    assert_restarts(RESTART_STUCK, 1, 4);
}
END_TEST

START_TEST(a_worker_that_does_not_move_is_not_waited_for)
{
    begin_serving(2);
    done[0] = '\0';
    fleet_replace(fleet, (struct seat_id){1, 0}, REPLACE_STALLED, now);
    fleet_replace(fleet, (struct seat_id){1, 0}, REPLACE_STALLED, now);
    assert_done("fork 1.1");
    ready(1, 1);
    assert_done("retire 1.0");
    now += KILL_GRACE_MS;
    fleet_tick(fleet, now);
    assert_done("kill 1.0");
    fleet_replace(fleet, (struct seat_id){1, 0}, REPLACE_STALLED, now);
    assert_done("");
}
END_TEST

START_TEST(who_leaves_for_a_reload_or_for_good_is_no_restart)
{
    begin_serving(2);
    fleet_reload(fleet, now);
    ended(0, 1, WORKER_FAILED);
    fleet_reload(fleet, now);
    ready(0, 1);
    now += PROVING_MS;
    fleet_tick(fleet, now);
    ended(0, 0, WORKER_DRAINING);
    ready(1, 1);
    ended(1, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_resize(fleet, -1, now), 0);
    ended(1, 1, WORKER_DRAINING);
    ask(0, 1);
    ready(0, 0);
    fleet_drain(fleet, now);
    ended(0, 1, WORKER_DRAINING);
    ended(0, 0, WORKER_DRAINING);
    ck_assert_int_eq(fleet_phase(fleet), FLEET_OVER);
    assert_restarts(RESTART_EXITED, 0, 0);
}
END_TEST

/* Another program carries on with the fleet. */
static void carry_on(unsigned slots, const struct fleet_actions *with)
{
    char message[128];
    struct upgrade_state *left = upgrade_state_new();
    fleet_save(fleet, left);
    ck_assert_int_eq(upgrade_state_publish(left, getpid()), 0);
    fleet_free(fleet);
    upgrade_state_free(left);
    struct upgrade_state *taken = upgrade_state_take(message, sizeof(message));
    ck_assert_ptr_nonnull(taken);
    fleet = fleet_new(slots, with, &limits);
    ck_assert_int_eq(fleet_load(fleet, taken), 0);
    upgrade_state_free(taken);
}

START_TEST(a_fleet_is_calm_when_no_worker_is_on_the_way)
{
    begin(2);
    ck_assert(!fleet_is_calm(fleet));
    ready(0, 0);
    ck_assert(!fleet_is_calm(fleet));
    ready(1, 0);
    ck_assert(fleet_is_calm(fleet));
    fleet_reload(fleet, now);
    ck_assert(!fleet_is_calm(fleet));
    ready(0, 1);
    ck_assert(!fleet_is_calm(fleet));
    now += PROVING_MS;
    fleet_tick(fleet, now);
    ready(1, 1);
    ck_assert(fleet_is_calm(fleet)); /* a worker that leaves may take its time */
    fleet_drain(fleet, now);
    ck_assert(!fleet_is_calm(fleet));
}
END_TEST

START_TEST(another_program_goes_on_with_it_and_reloads)
{
    begin_serving(2);
    ask(0, 0);
    ready(0, 1);
    ended(1, 0, WORKER_READY);
    ready(1, 0);
    assert_done("fork 0.1, retire 0.0, fork 1.0");
    carry_on(2, &actions);
    assert_done("");
    struct fleet_status status;
    fleet_describe(fleet, &status);
    ck_assert(status.phase == FLEET_SERVING && status.generation == 1 && status.lost == 1);
    ck_assert_uint_eq(status.started_ms, 1000);
    fleet_reload(fleet, now);
    assert_done("fork(2) 1.1"); /* where a seat is free */
    await_due();
    assert_done("kill 0.0"); /* within the time that the other program gave it */
    ended(0, 0, WORKER_DRAINING);
    ended(1, 1, WORKER_FAILED);
    assert_done("dropped 2");
    ended(0, 1, WORKER_READY);
    assert_done("fork 0.0");
}
END_TEST

START_TEST(a_upgrade_state_that_does_not_fit_is_not_taken_up)
{
    struct upgrade_state *left = upgrade_state_new();
    fleet = fleet_new(1, &actions, &limits);
    ck_assert_int_lt(fleet_load(fleet, left), 0);
    upgrade_state_add(left, "fleet", NULL, SAVED_NUMBERS(2, 1, 0, 0, 0));
    ck_assert_int_lt(fleet_load(fleet, left), 0);
    upgrade_state_free(left);
    left = upgrade_state_new();
    upgrade_state_add(left, "fleet", NULL, SAVED_NUMBERS(1, 1, 0, 0, 0));
    upgrade_state_add(left, "seat", NULL, SAVED_NUMBERS(0, FLEET_SEATS, 0, 0, 0, 0, 0, 0));
    ck_assert_int_lt(fleet_load(fleet, left), 0);
    upgrade_state_free(left);
}
END_TEST

/* A second fleet, whose workers live as chance has it: what the fleet does to them must make
 * sense each time. */
enum { SLOTS = 3 };
static struct model {
    bool lives, is_ready, told;
    unsigned generation;
} model[SLOTS][FLEET_SEATS];

static int model_fork(void *context, struct seat_id seat_id, unsigned generation)
{
    struct model *worker = &model[seat_id.slot][seat_id.seat];
    (void)context;
    ck_assert(!worker->lives);
    *worker = (struct model){.lives = true, .generation = generation};
    return 0;
}

static void model_tell(void *context, struct seat_id seat_id, enum message_kind kind)
{
    struct model *worker = &model[seat_id.slot][seat_id.seat],
                 *other = &model[seat_id.slot][1 - seat_id.seat];
    (void)context;
    ck_assert(worker->lives && worker->is_ready && !worker->told);
    ck_assert_int_eq(kind, MESSAGE_RETIRE);
    ck_assert_msg(other->lives && other->is_ready && !other->told, "no worker serves in its place");
    worker->told = true;
}

static void model_kill(void *context, struct seat_id seat_id, enum kill_reason why)
{
    (void)why;
    (void)context;
    ck_assert(model[seat_id.slot][seat_id.seat].lives);
}

static void model_reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    (void)context, (void)generation, (void)failure, (void)words;
}

/* Does to one worker something that may happen to it. */
static void live(unsigned slot, unsigned seat, unsigned what)
{
    struct model *worker = &model[slot][seat];
    if (!worker->lives)
        return;
    if (!worker->is_ready && what < 6) {
        worker->is_ready = true;
        ready(slot, seat);
    } else if (worker->told || what == 6) {
        worker->lives = false;
        ended(slot, seat, worker->is_ready ? WORKER_READY : WORKER_BOOTING);
    } else if (what == 7) {
        ask(slot, seat);
    } else if (what == 8) {
        plan(slot, seat);
    }
}

static void pass_time(void)
{
    uint64_t due = fleet_due(fleet);
    now = due > now ? due : now + 1;
    fleet_tick(fleet, now);
}

START_TEST(whatever_happens_every_slot_is_served_in_the_end_by_one_generation)
{
    static const struct fleet_actions on_model = {.fork = model_fork,
                                                  .tell = model_tell,
                                                  .kill = model_kill,
                                                  .ask_stacks = ask_stacks,
                                                  .boots_slowly = boots_slowly,
                                                  .reloaded = model_reloaded,
                                                  .restarted = restarted};
    srandom((unsigned)_i);
    memset(model, 0, sizeof(model));
    fleet = fleet_new(SLOTS, &on_model, &limits);
    now = 1000;
    fleet_start(fleet, now);
    live(0, 0, 0);
    for (int step = 0; step < 500; step++) {
        live((unsigned)random() % SLOTS, (unsigned)random() % FLEET_SEATS, (unsigned)random() % 10);
        if (random() % 20 == 0)
            fleet_reload(fleet, now);
        if (random() % 10 == 0 && fleet_is_calm(fleet))
            carry_on(SLOTS, &on_model);
        if (random() % 3 == 0)
            pass_time();
    }
    for (int step = 0; step < 200; step++) { /* all goes well from here */
        for (unsigned i = 0; i < SLOTS * FLEET_SEATS; i++)
            live(i / FLEET_SEATS, i % FLEET_SEATS, 0);
        pass_time();
    }
    ck_assert_uint_eq(fleet_due(fleet), 0);
    for (unsigned i = 0; i < SLOTS; i++) {
        ck_assert_int_eq(model[i][0].lives + model[i][1].lives, 1);
        const struct model *worker = &model[i][model[i][0].lives ? 0 : 1];
        ck_assert(worker->is_ready && !worker->told);
        ck_assert_uint_eq(worker->generation, model[0][model[0][0].lives ? 0 : 1].generation);
    }
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_first_worker_imports_alone_and_the_others_follow);
    unit_add_rows(tests, a_first_worker_that_ends_is_the_end, first_ends);
    tcase_add_test(tests, a_first_worker_that_cannot_be_forked_is_the_end);
    tcase_add_test(tests, a_worker_that_dies_is_replaced_at_once_and_then_with_growing_pauses);
    tcase_add_test(tests, a_fork_that_fails_is_tried_again);
    tcase_add_test(tests, a_successor_is_ready_before_its_predecessor_leaves);
    tcase_add_test(tests, a_predecessor_that_does_not_leave_is_killed);
    tcase_add_test(tests, a_successor_that_fails_is_tried_again_and_its_predecessor_stays);
    tcase_add_test(tests, a_predecessor_that_dies_early_has_its_successor);
    tcase_add_test(tests, with_both_seats_taken_the_next_successor_waits);
    tcase_add_test(tests, a_worker_that_dies_while_its_predecessor_leaves_is_replaced);
    tcase_add_test(tests, only_a_worker_that_serves_can_be_replaced);
    tcase_add_test(tests, a_drain_tells_workers_that_serve_kills_those_that_import_and_waits_for_all);
    tcase_add_test(tests, who_is_killed_while_it_boots_is_not_told_of);
    tcase_add_test(tests, a_stop_during_the_start_is_not_a_failure);
    tcase_add_test(tests, to_quit_twice_kills);
    tcase_add_test(tests, to_quit_has_a_deadline);
    tcase_add_test(tests, without_workers_a_stop_is_over_at_once);
    tcase_add_test(tests, planned_replacements_are_made_one_at_a_time);
    tcase_add_test(tests, a_reload_begins_with_a_probe_and_goes_on_slot_by_slot);
    tcase_add_test(tests, without_a_time_to_prove_itself_a_probe_takes_over_when_it_is_ready);
    tcase_add_test(tests, without_a_time_to_prove_itself_a_probe_that_is_not_ready_is_dropped_all_the_same);
    tcase_add_test(tests, an_impatient_reload_does_not_wait_for_workers_that_leave);
    unit_add_rows(tests, a_generation_whose_probe_fails_is_dropped, bad_probes);
    tcase_add_test(tests, a_probe_that_is_slow_to_load_is_killed);
    tcase_add_test(tests, another_worker_that_is_slow_to_load_is_reported_and_waited_for);
    tcase_add_test(tests, a_worker_after_the_probe_that_is_slow_to_load_is_killed_and_tried_again);
    tcase_add_test(tests, a_reload_that_is_asked_for_meanwhile_comes_after_it_once);
    tcase_add_test(tests, a_reload_during_the_start_comes_when_it_is_over);
    tcase_add_test(tests, who_dies_during_a_probe_is_replaced_by_its_own_generation);
    tcase_add_test(tests, when_probe_and_predecessor_die_the_old_generation_comes_back);
    tcase_add_test(tests, a_successor_that_fails_after_the_proof_is_tried_again);
    tcase_add_test(tests, a_probe_waits_for_a_seat);
    tcase_add_test(tests, a_stuck_worker_is_replaced_during_a_reload);
    tcase_add_test(tests, a_stop_during_a_reload_is_a_stop);
    tcase_add_test(tests, a_stop_is_also_the_end_of_a_reload_that_has_not_begun);
    tcase_add_test(tests, reloads_are_counted_as_they_begin);
    tcase_add_test(tests, a_fleet_grows_and_shrinks_at_its_end);
    tcase_add_test(tests, a_worker_that_imports_in_a_slot_that_goes_is_killed);
    tcase_add_test(tests, a_reload_is_over_when_the_slot_it_waited_for_goes);
    tcase_add_test(tests, a_stop_waits_for_workers_of_slots_that_are_gone);
    unit_add_rows(tests, the_worker_that_does_least_for_clients_is_taken_away, dispensable);
    tcase_add_test(tests, a_slot_in_the_middle_is_used_again);
    tcase_add_test(tests, a_fleet_that_starts_or_stops_is_not_resized);
    tcase_add_test(tests, who_has_to_be_replaced_is_a_restart);
    tcase_add_test(tests, a_worker_that_does_not_move_is_not_waited_for);
    tcase_add_test(tests, who_leaves_for_a_reload_or_for_good_is_no_restart);
    tcase_add_test(tests, a_fleet_is_calm_when_no_worker_is_on_the_way);
    tcase_add_test(tests, another_program_goes_on_with_it_and_reloads);
    tcase_add_test(tests, a_upgrade_state_that_does_not_fit_is_not_taken_up);
    tcase_add_loop_test(tests, whatever_happens_every_slot_is_served_in_the_end_by_one_generation, 0, 200);
}

int main(void)
{
    return unit_run("fleet/fleet", add);
}
