/* The zygotes as the master sees them. The zygote here is a stand-in, which the linker finds
 * before the real one: its generation decides what it does. Its workers only wait to be killed. */
#include "base/exit_status.h"
#include "preload/zygote_pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/reparented_fork.h"
#include "preload/zygote.h"
#include "preload/zygote_channel.h"
#include "unit.h"

enum { SEATS = 4, SOME_GENERATION = 1 };

enum faulty_generation {
    FAILS = 90, /* cannot load the application, and says so */
    EXITS,      /* while it loads it */
    HANGS,      /* the same, in another place */
    FORKS_NOT,  /* although it was asked to */
    LIES,       /* names a pid that is not its worker */
    REPEATS,    /* forks none the second time: names the first again */
    DIES,       /* when it is asked */
    STALLS,     /* likewise */
    BABBLES,    /* noise before each message */
    DENIES,     /* claims a worker before it has loaded */
};

static struct event_base *base;
static struct scoreboard *board;
static struct child children[SEATS];
static struct zygote_pool *zygotes;
static unsigned worker_count = 2;
static char failures[512]; /* "0: exited with status 3 [failed], ..." */

static pid_t lie = 1;

/* An empty message, a cut one, a longer one; and news out of turn. */
static void babble(int channel)
{
    static char noise[1000];
    const struct zygote_news news[] = {
        {.kind = ZYGOTE_NEWS_LOADED},
        {.kind = ZYGOTE_NEWS_FAILED},
        {.kind = (enum zygote_news_kind)77, .pid = -1},
    };
    send(channel, noise, 0, MSG_DONTWAIT);
    send(channel, noise, 1, MSG_DONTWAIT);
    send(channel, noise, sizeof(noise), MSG_DONTWAIT);
    for (size_t i = 0; i < UNIT_ROWS(news); i++)
        zygote_channel_send_news(channel, &news[i]);
}

/* Shared with the test, whatever the zygote says. */
static void forked(pid_t pid)
{
    scoreboard_set(board->rows[SEATS - 1].pid, (uint32_t)pid);
}

static bool last_is_gone(void)
{
    return kill((pid_t)scoreboard_get(board->rows[SEATS - 1].pid), 0) < 0;
}

static void answer(int channel, unsigned generation, const struct zygote_order *order)
{
    static pid_t first;
    struct zygote_news news = {.kind = ZYGOTE_NEWS_FORKED};
    int start = -1;
    if (generation == DIES)
        _exit(9);
    if (generation == STALLS)
        pause();
    news.pid = generation == LIES ? lie : generation == FORKS_NOT ? -1 : reparented_fork(&start);
    if (news.pid == 0) {
        worker_channel_send(order->channel, MESSAGE_READY, (pid_t)order->worker_count);
        for (;;)
            pause();
    }
    forked(news.pid);
    if (generation == FORKS_NOT)
        news = (struct zygote_news){.kind = ZYGOTE_NEWS_NOT_FORKED, .error = EAGAIN};
    if (generation == REPEATS && first != 0)
        news.pid = first;
    first = news.pid;
    if (generation == DENIES)
        zygote_channel_send_news(channel,
                                 &(struct zygote_news){.kind = ZYGOTE_NEWS_NOT_FORKED, .error = EAGAIN});
    if (generation == BABBLES)
        babble(channel);
    zygote_channel_send_news(channel, &news);
    if (news.pid > 1)
        reparented_fork_begin(start);
    close(order->channel);
    close(order->crash_pipe);
}

int zygote_main(const struct zygote_setup *setup)
{
    const struct zygote_news news = {.kind = setup->generation == FAILS ? ZYGOTE_NEWS_FAILED
                                                                        : ZYGOTE_NEWS_LOADED};
    struct zygote_order order;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (setup->generation == EXITS)
        return 5;
    if (setup->generation == HANGS)
        pause();
    zygote_channel_send_news(setup->channel, &news);
    if (setup->generation == FAILS)
        return EXIT_APPLICATION;
    while (zygote_channel_await_order(setup->channel, &order) == 0 && order.kind != ZYGOTE_ORDER_END)
        if (order.kind == ZYGOTE_ORDER_FORK)
            answer(setup->channel, setup->generation, &order);
        else if (order.kind == ZYGOTE_ORDER_MEASURE)
            scoreboard_set(board->rows[0].ready, 77);
    return EXIT_STOPPED;
}

int zygote_excuse(const struct zygote_setup *setup)
{
    (void)setup;
    return EXIT_FAILURE_RUNTIME;
}

static void describe(void *context, unsigned number, unsigned generation, struct worker_setup *setup)
{
    (void)context;
    *setup = (struct worker_setup){
        .slot = number,
        .generation = generation,
        .row = &board->rows[number],
        .worker_count = worker_count,
        .channel = children[number].channel.worker,
        .crash_pipe = children[number].crash_pipe.worker,
    };
}

static void failed(void *context, unsigned number, const struct worker_end *end)
{
    size_t used = strlen(failures);
    const char *how = end->how;
    int size = strstr(how, " after ") != NULL ? (int)(strstr(how, " after ") - how) : (int)strlen(how);
    (void)context;
    ck_assert_uint_eq(end->slot, number);
    ck_assert(!children[number].expected);
    snprintf(failures + used, sizeof(failures) - used, "%s%u: %s%.*s [%s]", used > 0 ? ", " : "", number,
             end->of_zygote ? "its zygote " : "", size, how, worker_state_name(end->state));
}

/* A process that the test uses for something else. */
static pid_t taken;

static bool is_taken(void *context, pid_t pid)
{
    (void)context;
    return taken != 0 && pid == taken;
}

static void set_up(void)
{
    base = event_base_new();
    board = scoreboard_new(SEATS, 1);
    for (unsigned i = 0; i < SEATS; i++)
        ck_assert_int_eq(child_open(&children[i]), 0);
    const struct zygote_pool_setup setup = {base, children, SEATS, describe, failed, is_taken, NULL};
    zygotes = zygote_pool_new(&setup);
}

/* Reaps as the master does. */
static void turn(void)
{
    siginfo_t info = {.si_pid = 0};
    int status;
    event_base_loop(base, EVLOOP_NONBLOCK);
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
        zygote_pool_read(zygotes);
        waitpid(info.si_pid, &status, 0);
        zygote_pool_reap(zygotes, info.si_pid, status);
        info.si_pid = 0;
    }
    usleep(1000);
}

/* Turns the loop until it is so; the test's own time limit ends it. */
#define await(condition) \
    do                   \
        turn();          \
    while (!(condition))

static bool no_zygote_is_left(void)
{
    return zygote_pool_end(zygotes);
}

static void tear_down(void)
{
    for (unsigned i = 0; i < SEATS; i++)
        child_kill(&children[i], KILL_LATE);
    await(no_zygote_is_left());
    zygote_pool_free(zygotes);
    event_base_free(base);
}

static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %*c %d", &parent), 1);
    fclose(file);
    return parent;
}

START_TEST(a_worker_is_expected_until_its_pid_is_known)
{
    ck_assert_int_eq(zygote_pool_ask(zygotes, 2, SOME_GENERATION), 0);
    ck_assert(children[2].expected);
    ck_assert_int_eq(children[2].pid, 0);
    ck_assert_uint_eq(scoreboard_get(board->rows[2].state), WORKER_BOOTING);
    await(children[2].pid != 0);
    ck_assert(!children[2].expected);
    ck_assert_uint_eq(scoreboard_get(board->rows[2].pid), (uint32_t)children[2].pid);
    ck_assert_int_eq(parent_of(children[2].pid), getpid());
    ck_assert_str_eq(failures, "");
}
END_TEST

START_TEST(many_at_once_come_one_after_another)
{
    for (unsigned i = 0; i < SEATS; i++)
        ck_assert_int_eq(zygote_pool_ask(zygotes, i, SOME_GENERATION + i % 2), 0);
    for (unsigned i = 0; i < SEATS; i++)
        await(children[i].pid != 0);
    ck_assert_str_eq(failures, "");
}
END_TEST

START_TEST(messages_sent_meanwhile_reach_it_when_it_is_forked)
{
    enum message_kind kind;
    pid_t pid;
    zygote_pool_ask(zygotes, 0, SOME_GENERATION);
    child_tell(&children[0], MESSAGE_REOPEN);
    child_tell(&children[0], MESSAGE_UNREADY);
    child_tell(&children[0], MESSAGE_REOPEN);
    await(children[0].pid != 0);
    ck_assert_int_eq(worker_channel_receive(children[0].channel.worker, &kind, &pid), 1);
    ck_assert(kind == MESSAGE_UNREADY && pid == children[0].pid);
    ck_assert_int_eq(worker_channel_receive(children[0].channel.worker, &kind, &pid), 1);
    ck_assert(kind == MESSAGE_REOPEN && pid == children[0].pid);
    ck_assert_int_eq(worker_channel_receive(children[0].channel.worker, &kind, &pid), 0);
}
END_TEST

/* Once: an empty message was taken for the zygote's end, and each other one for its answer. */
START_TEST(noise_is_dropped)
{
    zygote_pool_ask(zygotes, 0, BABBLES);
    zygote_pool_ask(zygotes, 1, BABBLES);
    await(children[0].pid != 0 && children[1].pid != 0);
    ck_assert_int_ne(children[0].pid, children[1].pid);
    ck_assert_str_eq(failures, "");
}
END_TEST

static const struct {
    unsigned generation;
    const char *failures;
} faults[] = {
    {FAILS, "0: its zygote exited with status 3 [failed], 1: its zygote exited with status 3 [failed]"},
    {EXITS, "0: its zygote exited with status 5 [booting], 1: its zygote exited with status 5 [booting]"},
    {FORKS_NOT, "0: cannot be forked: Resource temporarily unavailable [loaded], "
                "1: cannot be forked: Resource temporarily unavailable [loaded]"},
    {LIES, "0: was gone before it began [loaded], 1: was gone before it began [loaded]"},
    {DIES, "0: its zygote exited with status 9 [loaded], 1: its zygote exited with status 9 [loaded]"},
};

START_TEST(what_becomes_of_it_instead_is_told)
{
    zygote_pool_ask(zygotes, 0, faults[_i].generation);
    zygote_pool_ask(zygotes, 1, faults[_i].generation);
    await(strstr(failures, "1: ") != NULL);
    ck_assert_str_eq(failures, faults[_i].failures);
    ck_assert_uint_eq(scoreboard_get(board->rows[0].state), WORKER_NONE);
    failures[0] = '\0';
    ck_assert_int_eq(zygote_pool_ask(zygotes, 0, SOME_GENERATION), 0);
    await(children[0].pid != 0);
    ck_assert_str_eq(failures, "");
}
END_TEST

START_TEST(no_process_has_two_seats)
{
    zygote_pool_ask(zygotes, 0, REPEATS);
    zygote_pool_ask(zygotes, 1, REPEATS);
    await(failures[0] != '\0');
    ck_assert_str_eq(failures, "1: was gone before it began [loaded]");
    ck_assert_int_ne(children[0].pid, 0);
}
END_TEST

START_TEST(a_worker_that_has_no_seat_is_killed)
{
    zygote_pool_ask(zygotes, 0, REPEATS);
    zygote_pool_ask(zygotes, 1, REPEATS);
    await(failures[0] != '\0');
    zygote_pool_refuse(zygotes, children[0].pid);
    zygote_pool_refuse(zygotes, getpid());
    ck_assert(!last_is_gone());
    zygote_pool_refuse(zygotes, (pid_t)scoreboard_get(board->rows[SEATS - 1].pid));
    await(last_is_gone());
    ck_assert_int_eq(kill(children[0].pid, 0), 0);
}
END_TEST

START_TEST(a_worker_that_is_told_of_out_of_turn_is_killed)
{
    zygote_pool_ask(zygotes, 0, DENIES);
    await(failures[0] != '\0');
    ck_assert_str_eq(failures, "0: cannot be forked: Resource temporarily unavailable [loaded]");
    await(last_is_gone());
}
END_TEST

START_TEST(no_other_process_of_ours_is_a_worker)
{
    taken = fork();
    if (taken == 0)
        for (;;)
            pause();
    lie = taken;
    zygote_pool_ask(zygotes, 0, LIES);
    await(failures[0] != '\0');
    ck_assert_str_eq(failures, "0: was gone before it began [loaded]");
    kill(taken, SIGKILL);
}
END_TEST

START_TEST(one_that_is_killed_while_it_is_expected_takes_its_zygote_along)
{
    zygote_pool_ask(zygotes, 0, HANGS);
    zygote_pool_ask(zygotes, 1, SOME_GENERATION);
    child_kill(&children[0], KILL_LATE);
    zygote_pool_kill(zygotes, 0, KILL_LATE);
    await(failures[0] != '\0' && children[1].pid != 0);
    ck_assert_str_eq(failures, "0: its zygote did not leave in time and was killed by the master [booting]");
    zygote_pool_kill(zygotes, 1, KILL_LATE); /* which is not expected any more */
    zygote_pool_ask(zygotes, 2, SOME_GENERATION);
    await(children[2].pid != 0);
}
END_TEST

START_TEST(one_that_is_killed_before_its_turn_leaves_the_others_theirs)
{
    for (unsigned i = 0; i < 3; i++)
        zygote_pool_ask(zygotes, i, SOME_GENERATION);
    child_kill(&children[1], KILL_LATE);
    zygote_pool_kill(zygotes, 1, KILL_LATE);
    await(children[0].pid != 0 && children[2].pid != 0);
    ck_assert_str_eq(failures, "1: was not wanted any more [loaded]");
    ck_assert_int_eq(children[1].pid, 0);
}
END_TEST

START_TEST(one_that_is_killed_when_it_is_about_to_be_forked_is_killed_then)
{
    siginfo_t info = {.si_pid = 0};
    zygote_pool_ask(zygotes, 0, SOME_GENERATION);
    await(children[0].pid != 0);
    zygote_pool_ask(zygotes, 1, SOME_GENERATION); /* which is asked at once */
    child_kill(&children[1], KILL_LATE);
    zygote_pool_kill(zygotes, 1, KILL_LATE);
    while (children[1].pid == 0)
        event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert_int_eq(waitid(P_PID, (id_t)children[1].pid, &info, WEXITED), 0);
    ck_assert_int_eq(info.si_status, SIGKILL);
    ck_assert_str_eq(failures, "");
}
END_TEST

START_TEST(a_fork_that_stalls_is_not_waited_for_when_it_is_not_wanted)
{
    zygote_pool_ask(zygotes, 0, STALLS);
    for (int i = 0; i < 50; i++)
        turn();
    child_kill(&children[0], KILL_LATE);
    zygote_pool_kill(zygotes, 0, KILL_LATE);
    ck_assert_str_eq(failures, "");
    await(failures[0] != '\0');
    ck_assert_str_eq(failures,
                     "0: its zygote did not fork a worker in time and was killed by the master [loaded]");
}
END_TEST

/* Options that may not have been there when the zygote was forked. */
START_TEST(it_gets_the_channel_of_its_seat_and_what_has_changed)
{
    enum message_kind kind;
    pid_t count;
    zygote_pool_ask(zygotes, 0, SOME_GENERATION);
    await(children[0].pid != 0);
    child_close(&children[3]);
    ck_assert_int_eq(child_open(&children[3]), 0);
    worker_count = 33;
    zygote_pool_ask(zygotes, 3, SOME_GENERATION);
    await(children[3].pid != 0);
    while (worker_channel_receive(children[3].channel.master, &kind, &count) == 0)
        turn();
    ck_assert(kind == MESSAGE_READY && count == 33);
    worker_count = 2;
}
END_TEST

START_TEST(a_zygote_that_has_died_comes_back_with_the_next_worker)
{
    zygote_pool_ask(zygotes, 0, SOME_GENERATION);
    await(children[0].pid != 0);
    zygote_pool_ask(zygotes, 1, DIES); /* the end of another zygote does not matter */
    await(failures[0] != '\0');
    zygote_pool_ask(zygotes, 1, SOME_GENERATION);
    await(children[1].pid != 0);
    ck_assert_int_ne(children[0].pid, children[1].pid);
}
END_TEST

static unsigned alive(void)
{
    unsigned count = 0;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
    FILE *file = fopen(path, "re");
    int pid;
    while (file != NULL && fscanf(file, "%d", &pid) == 1)
        count++;
    if (file != NULL)
        fclose(file);
    return count;
}

START_TEST(only_zygotes_that_are_wanted_stay)
{
    for (unsigned i = 0; i < 3; i++) {
        zygote_pool_ask(zygotes, i, SOME_GENERATION + i);
        await(children[i].pid != 0);
    }
    if (alive() == 0)
        return; /* a kernel that does not say */
    ck_assert_uint_eq(alive(), 6);
    zygote_pool_drop(zygotes, SOME_GENERATION + 2);
    await(alive() == 5);
    zygote_pool_keep(zygotes, SOME_GENERATION + 1);
    await(alive() == 4);
    zygote_pool_ask(zygotes, 3, SOME_GENERATION + 2); /* begins again */
    await(children[3].pid != 0);
    ck_assert_uint_eq(alive(), 6);
    await(no_zygote_is_left());
    ck_assert_uint_eq(alive(), 4);
    ck_assert_str_eq(failures, "");
}
END_TEST

START_TEST(when_all_workers_of_a_generation_serve_memory_is_measured)
{
    zygote_pool_ask(zygotes, 0, SOME_GENERATION);
    zygote_pool_ask(zygotes, 2, SOME_GENERATION);
    await(children[0].pid != 0 && children[2].pid != 0);
    zygote_pool_ready(zygotes, 0);
    for (int i = 0; i < 20; i++)
        turn();
    ck_assert_uint_eq(scoreboard_get(board->rows[0].ready), 0);
    zygote_pool_ready(zygotes, 2);
    await(scoreboard_get(board->rows[0].ready) == 77);
}
END_TEST

START_TEST(no_zygote_pool_is_an_empty_one)
{
    zygote_pool_read(NULL);
    zygote_pool_kill(NULL, 0, KILL_LATE);
    zygote_pool_ready(NULL, 0);
    zygote_pool_drop(NULL, 1);
    zygote_pool_keep(NULL, 1);
    zygote_pool_reopen_logs(NULL);
    ck_assert(!zygote_pool_reap(NULL, 1, 0));
    ck_assert(zygote_pool_end(NULL));
    zygote_pool_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_worker_is_expected_until_its_pid_is_known);
    tcase_add_test(tests, many_at_once_come_one_after_another);
    tcase_add_test(tests, noise_is_dropped);
    tcase_add_test(tests, messages_sent_meanwhile_reach_it_when_it_is_forked);
    unit_add_rows(tests, what_becomes_of_it_instead_is_told, faults);
    tcase_add_test(tests, no_process_has_two_seats);
    tcase_add_test(tests, a_worker_that_has_no_seat_is_killed);
    tcase_add_test(tests, a_worker_that_is_told_of_out_of_turn_is_killed);
    tcase_add_test(tests, no_other_process_of_ours_is_a_worker);
    tcase_add_test(tests, one_that_is_killed_while_it_is_expected_takes_its_zygote_along);
    tcase_add_test(tests, one_that_is_killed_before_its_turn_leaves_the_others_theirs);
    tcase_add_test(tests, one_that_is_killed_when_it_is_about_to_be_forked_is_killed_then);
    tcase_add_test(tests, a_fork_that_stalls_is_not_waited_for_when_it_is_not_wanted);
    tcase_add_test(tests, it_gets_the_channel_of_its_seat_and_what_has_changed);
    tcase_add_test(tests, a_zygote_that_has_died_comes_back_with_the_next_worker);
    tcase_add_test(tests, only_zygotes_that_are_wanted_stay);
    tcase_add_test(tests, when_all_workers_of_a_generation_serve_memory_is_measured);
    tcase_add_test(tests, no_zygote_pool_is_an_empty_one);
}

int main(void)
{
    return unit_run("preload/zygote_pool", add);
}
