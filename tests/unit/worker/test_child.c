/* A worker process as its parent sees it. The worker here is a stand-in, which the linker finds
 * before the real one. */
#include "worker/child.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/fork.h"
#include "unit.h"
#include "worker/worker.h"

static struct event_base *base;
static struct scoreboard *board;
static struct child children[2], *const child = &children[0];
static struct worker_setup setup;
static char text[512];

/* Reports ready, obeys one message, and exits with its kind; 55 when the master is gone. It
 * starts with all signals blocked, as the real worker does. */
int worker_main(const struct worker_setup *given)
{
    enum message_kind kind;
    pid_t worker;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (given->worker_count == 0)
        return 7;
    if (given->worker_count == 2)
        pause();
    scoreboard_set(given->row->state, WORKER_READY);
    scoreboard_add(given->row->requests, 3);
    worker_channel_send(given->channel, MESSAGE_READY, getpid());
    int r;
    while ((r = worker_channel_receive(given->channel, &kind, &worker)) == 0)
        usleep(1000);
    if (r < 0)
        return 55;
    return worker == getpid() ? (int)kind : 99;
}

static void set_up(void)
{
    base = event_base_new();
    board = scoreboard_new(2, 2);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(child_open(&children[i]), 0);
    setup = (struct worker_setup){.worker_count = 1,
                                  .row = &board->rows[0],
                                  .calls = scoreboard_calls(board, 0),
                                  .threads = 2,
                                  .channel = child->channel.worker};
}

static void tear_down(void)
{
    for (int i = 0; i < 2; i++)
        child_close(&children[i]);
    scoreboard_free(board);
    event_base_free(base);
}

static void reap(void)
{
    int status;
    ck_assert_int_eq(waitpid(child->pid, &status, 0), child->pid);
    child_reap(child, setup.row, setup.calls, setup.threads, status, text, sizeof(text));
    ck_assert_int_eq(child->pid, 0);
    ck_assert_uint_eq(scoreboard_get(setup.row->pid), 0);
    ck_assert_uint_eq(scoreboard_get(setup.row->state), WORKER_NONE);
    ck_assert_uint_eq(scoreboard_get(setup.row->connections), 0);
    ck_assert_uint_eq(scoreboard_get(setup.row->connection_states[CONNECTION_READING]), 0);
    ck_assert_uint_eq(scoreboard_get(setup.calls[1].since_ns), 0);
}

static void await_ready(const struct child *of)
{
    enum message_kind kind;
    pid_t worker;
    while (worker_channel_receive(of->channel.master, &kind, &worker) == 0)
        usleep(1000);
    ck_assert_int_eq(kind, MESSAGE_READY);
    ck_assert_int_eq(worker, of->pid);
}

START_TEST(a_forked_worker_is_in_its_seat_and_leaves_it)
{
    child->killed = KILL_LATE;
    scoreboard_set(setup.calls[1].since_ns, 1);
    scoreboard_set(setup.row->connections, 8);
    scoreboard_set(setup.row->connection_states[CONNECTION_READING], 3);
    scoreboard_set(setup.row->refused_ms, 3);
    scoreboard_set(setup.row->requests, 100);
    setup.worker_count = 0;
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    ck_assert_int_gt(child->pid, 0);
    ck_assert_uint_eq(scoreboard_get(setup.row->pid), (uint32_t)child->pid);
    ck_assert(child->killed == KILL_NOT);
    ck_assert_uint_eq(scoreboard_get(setup.row->refused_ms), 0);
    reap();
    ck_assert_str_eq(text, "exited with status 7 after 0.0 s and 0 requests");
    ck_assert_uint_eq(scoreboard_get(setup.row->requests), 100);
}
END_TEST

START_TEST(a_worker_that_serves_is_told_by_its_channel)
{
    scoreboard_set(setup.row->requests, 100);
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    await_ready(child);
    child_tell(child, MESSAGE_DRAIN);
    reap();
    char expected[64];
    snprintf(expected, sizeof(expected), "exited with status %d ", MESSAGE_DRAIN);
    ck_assert_ptr_nonnull(strstr(text, expected));
    ck_assert_ptr_nonnull(strstr(text, " and 3 requests"));
}
END_TEST

START_TEST(a_worker_that_does_not_read_its_messages_is_left_alone)
{
    setup.worker_count = 2;
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    int sent = 0;
    while (worker_channel_send(child->channel.master, MESSAGE_REOPEN, child->pid) == 0)
        ck_assert_int_lt(sent++, 100000);
    child_tell(child, MESSAGE_DRAIN);
    ck_assert_int_eq(waitpid(child->pid, NULL, WNOHANG), 0);
    child_kill(child, KILL_LATE);
    reap();
    ck_assert_ptr_nonnull(strstr(text, "killed by the master"));
}
END_TEST

START_TEST(a_worker_that_does_not_leave_is_killed_by_us)
{
    setup.worker_count = 2;
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    child_kill(child, KILL_LATE);
    reap();
    ck_assert_ptr_nonnull(strstr(text, "killed by the master"));
}
END_TEST

START_TEST(a_call_under_way_is_named)
{
    setup.worker_count = 2;
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    strcpy(setup.calls[0].request, "GET /y HTTP/1.1");
    scoreboard_set(setup.calls[0].since_ns, clock_ns());
    strcpy(setup.calls[1].request, "GET /x HTTP/1.1");
    scoreboard_set(setup.calls[1].since_ns, clock_ns() - 3000000000);
    kill(child->pid, SIGKILL);
    reap();
    double shorter = -1, longer = -1; /* as long as the machine takes to reap it */
    const char *calls = strstr(text, "while it ran ");
    ck_assert_ptr_nonnull(calls);
    ck_assert_int_eq(sscanf(calls,
                            "while it ran \"GET /y HTTP/1.1\" (for %lf s), \"GET /x HTTP/1.1\" (for %lf s)",
                            &shorter, &longer),
                     2);
    ck_assert(shorter >= 0 && longer >= 3);
}
END_TEST

/* The siblings hold no descriptor that would hide the end. */
START_TEST(every_worker_notices_that_the_master_is_gone)
{
    struct worker_setup other = setup;
    int status;
    other.row = &board->rows[1];
    other.channel = children[1].channel.worker;
    ck_assert_int_eq(child_fork(children, 2, 0, base, &setup), 0);
    ck_assert_int_eq(child_fork(children, 2, 1, base, &other), 0);
    await_ready(&children[0]);
    await_ready(&children[1]);
    for (int i = 0; i < 2; i++) {
        close(children[i].channel.master);
        ck_assert_int_eq(waitpid(children[i].pid, &status, 0), children[i].pid);
        ck_assert_int_eq(WEXITSTATUS(status), 55);
    }
}
END_TEST

/* A zygote is asked for it, and its pid comes later. */
START_TEST(one_that_is_expected_is_killed_as_soon_as_it_can_be)
{
    child_expect(child, &setup);
    ck_assert_uint_eq(scoreboard_get(setup.row->state), WORKER_BOOTING);
    child_kill(child, KILL_LATE);
    pid_t pid = fork_quietly();
    if (pid == 0)
        for (;;)
            pause();
    child_is_forked(child, &setup, pid);
    ck_assert(child->pid == pid && !child->expected);
    reap();
    ck_assert_ptr_nonnull(strstr(text, "killed by the master"));
}
END_TEST

START_TEST(one_that_is_expected_in_vain_leaves_nothing)
{
    child_expect(child, &setup);
    child_tell(child, MESSAGE_REOPEN);
    child_kill(child, KILL_LATE);
    child_is_not_forked(child, &setup);
    ck_assert_uint_eq(scoreboard_get(setup.row->state), WORKER_NONE);
    setup.worker_count = 2;
    child_expect(child, &setup);
    ck_assert(child->killed == KILL_NOT && child->messages == 0);
}
END_TEST

START_TEST(an_empty_seat_is_told_nothing)
{
    child_tell(child, MESSAGE_QUIT);
    child_kill(child, KILL_LATE);
    ck_assert(child->killed == KILL_NOT);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_forked_worker_is_in_its_seat_and_leaves_it);
    tcase_add_test(tests, a_worker_that_serves_is_told_by_its_channel);
    tcase_add_test(tests, a_worker_that_does_not_read_its_messages_is_left_alone);
    tcase_add_test(tests, a_worker_that_does_not_leave_is_killed_by_us);
    tcase_add_test(tests, a_call_under_way_is_named);
    tcase_add_test(tests, every_worker_notices_that_the_master_is_gone);
    tcase_add_test(tests, one_that_is_expected_is_killed_as_soon_as_it_can_be);
    tcase_add_test(tests, one_that_is_expected_in_vain_leaves_nothing);
    tcase_add_test(tests, an_empty_seat_is_told_nothing);
}

int main(void)
{
    return unit_run("worker/child", add);
}
