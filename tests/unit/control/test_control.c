/*
 * The verbs, with a fleet whose workers are only written down. What needs real ones is in tests/system/test_control.py.
 */
#include "control/control.h"

#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "control/control_fixture.h"
#include "py/stack.h"

enum { SLOTS = 2, THREADS = 2, ROWS = SLOTS * FLEET_SEATS };

static struct scoreboard *board;
static struct child children[ROWS];
static struct fleet *fleet;
static struct control *control;
static struct options options = {.threads = THREADS, .workers = SLOTS};
static uint64_t now;
static unsigned readings; /* of the configuration, that have ended */
static bool reads;        /* one is under way all the time */
static const char *refusal;
static int last_signal;

static void note_signal(int number)
{
    last_signal = number;
}

static int fork_one(void *context, struct seat_id seat_id, unsigned generation)
{
    unsigned row = seat_id.slot * FLEET_SEATS + seat_id.seat;
    (void)context;
    children[row].pid = (pid_t)(100 + row);
    children[row].forked_ms = clock_ms();
    scoreboard_set(board->rows[row].generation, generation);
    scoreboard_set(board->rows[row].state, WORKER_READY);
    return 0;
}

static void tell(void *context, struct seat_id seat_id, enum message_kind kind)
{
    (void)context, (void)seat_id, (void)kind;
}

static void kill_one(void *context, struct seat_id seat_id, enum kill_reason why)
{
    (void)why;
    (void)context, (void)seat_id;
}

static void reloaded(void *context, unsigned generation, const char *failure, struct slice words)
{
    (void)context, (void)generation;
    control_reloaded(control, failure, words);
}

static unsigned next_reading(void *context)
{
    (void)context;
    return readings + (reads ? 2 : 1);
}

/* What the master does when the configuration has been read. */
static void has_read(const char *failure)
{
    readings++;
    if (failure != NULL) {
        control_not_configured(control, readings, failure);
        return;
    }
    control_configured(control, readings);
    fleet_reload(fleet, now);
}

static int reload(void *context, char *message, size_t size)
{
    (void)context;
    snprintf(message, size, "%s", refusal != NULL ? refusal : "");
    if (refusal == NULL && !reads)
        has_read(NULL);
    return refusal == NULL ? 0 : -1;
}

static void ready(unsigned slot, unsigned seat)
{
    fleet_ready(fleet, (struct seat_id){slot, seat}, now);
}

static void restarted(void *context, const struct worker_end *end, enum restart_cause cause)
{
    (void)context, (void)end, (void)cause;
}

static void set_up(void)
{
    static const struct fleet_actions actions = {
        .fork = fork_one, .tell = tell, .kill = kill_one, .reloaded = reloaded, .restarted = restarted};
    static const struct fleet_limits limits = {.graceful_ms = 1000};
    char message[256];
    control_set_up();
    board = scoreboard_new(ROWS, THREADS);
    fleet = fleet_new(SLOTS, &actions, &limits);
    options.control_socket = control_path;
    options.application = (char *)"shop:app";
    struct control_view view = {
        .base = control_base,
        .options = &options,
        .board = board,
        .children = children,
        .count = ROWS,
        .fleet = fleet,
        .next_reading = next_reading,
        .reload = reload,
    };
    control = control_open(&view, message, sizeof(message));
    ck_assert_msg(control != NULL, "%s", message);
    now = clock_ms();
    fleet_start(fleet, now);
    ready(0, 0);
    ready(1, 0);
}

static void tear_down(void)
{
    control_close(control);
    fleet_free(fleet);
    scoreboard_free(board);
    control_tear_down();
}

static void assert_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text);
}

static void begin_call(unsigned row, unsigned thread, uint64_t age_ms, const char *request)
{
    struct scoreboard_call *call = &scoreboard_calls(board, row)[thread];
    strcpy(call->request, request);
    scoreboard_set(call->since_ns, clock_ns() - UINT64_C(1000000) * age_ms);
}

START_TEST(status_is_the_service_on_one_screen)
{
    scoreboard_set(board->rows[0].requests, 5);
    scoreboard_set(board->rows[1].requests, 2); /* of one that is gone */
    scoreboard_set(board->rows[2].connections, 3);
    begin_call(2, 1, 0, "GET / HTTP/1.1");
    fleet_reload(fleet, now);
    const char *answer = control_ask("status\n");
    assert_has(answer, " application  shop:app\n");
    assert_has(answer, " phase        serving, reloading\n");
    assert_has(answer, " generation   1\n");
    assert_has(answer, " workers      2 serving, 1 booting\n");
    assert_has(answer, " connections  3\n");
    assert_has(answer, " calls        1\n");
    assert_has(answer, " requests     7\n");
    assert_has(answer, " restarts     0\nok\n");
}
END_TEST

START_TEST(workers_are_rows)
{
    children[0].forked_ms = clock_ms() - 3603000;
    children[2].requests_before = 10;
    children[2].forked_ms = clock_ms() - 3723000;
    scoreboard_set(board->rows[2].requests, 15);
    scoreboard_set(board->rows[2].connections, 3);
    scoreboard_set(board->rows[2].ready, 4);
    begin_call(2, 1, 0, "GET / HTTP/1.1");
    const char *answer = control_ask("workers\n");
    assert_has(answer, " slot     pid generation state        age   requests connections ready calls\n");
    assert_has(answer, "    0     100          1 serving    1h00m          0           0     0     0\n");
    assert_has(answer, "    1     102          1 serving    1h02m          5           3     4     1\nok\n");
}
END_TEST

START_TEST(requests_are_rows_the_oldest_first)
{
    begin_call(2, 1, 100, "GET /c HTTP/1.1");
    begin_call(0, 0, 6000, "GET /b \033 HTTP/1.1");
    begin_call(2, 0, 61000, "GET /a HTTP/1.1");
    begin_call(1, 0, 9000, "GET /of-nobody HTTP/1.1");
    const char *answer = control_ask("requests\n");
    ck_assert_str_eq(answer, " slot thread     pid     age  request\n"
                             "    1      0     102   1m01s  GET /a HTTP/1.1\n"
                             "    0      0     100    6.0s  GET /b \\x1b HTTP/1.1\n"
                             "    1      1     102    0.1s  GET /c HTTP/1.1\n"
                             "ok\n");
}
END_TEST

/* A worker without Python in row 0, which stands still; the other rows are empty. */
static void seat_a_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    ck_assert_int_eq(child_open(&children[0]), 0);
    children[0].pid = pid;
    children[2].pid = 0;
}

static void unseat_it(void)
{
    kill(children[0].pid, SIGKILL);
    ck_assert_int_eq(waitpid(children[0].pid, NULL, 0), children[0].pid);
    child_close(&children[0]);
}

static void write_much(size_t size)
{
    static char block[1000];
    memset(block, 'x', sizeof(block));
    block[sizeof(block) - 1] = '\n';
    fcntl(children[0].crash_pipe.worker, F_SETPIPE_SZ, 1 << 20);
    for (size_t i = 0; i < size; i += sizeof(block))
        ck_assert_int_eq(write(children[0].crash_pipe.worker, block, sizeof(block)), sizeof(block));
}

static const size_t much[] = {1000, 64000, 66000, 100000, 1000000};

/* Once: what the pipe had, by FIONREAD, was written out of a buffer that is smaller. */
START_TEST(stacks_are_no_longer_than_what_was_read)
{
    signal(STACKS_SIGNAL, SIG_IGN);
    seat_a_process();
    int fd = control_begin("stacks\n");
    write_much(much[_i]);
    const char *answer = control_end(fd);
    ck_assert_uint_le(strlen(answer), CRASH_PIPE_MAX + 1000);
    assert_has(answer, "worker 0 (pid ");
    assert_has(answer, "xxxx");
    assert_has(answer, "\nok\n");
    unseat_it();
}
END_TEST

START_TEST(what_was_there_before_and_is_gone_is_no_stack)
{
    char path[64], block[1000];
    signal(STACKS_SIGNAL, SIG_IGN);
    seat_a_process();
    write_much(50000);
    int fd = control_begin("stacks\n");
    write_much(50000);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", children[0].crash_pipe.worker);
    int thief = open(path, O_RDONLY);
    for (int i = 0; i < 90; i++)
        ck_assert_int_eq(read(thief, block, sizeof(block)), sizeof(block));
    assert_has(control_end(fd), "\nok\n");
    close(thief);
    unseat_it();
}
END_TEST

START_TEST(noise_on_the_scoreboard_is_shown_without_harm)
{
    static const char *const questions[] = {"status\n", "workers\n", "requests\n"};
    unsigned char *at = (void *)board->service;
    for (unsigned round = 0; round < 30; round++) {
        for (unsigned char *byte = at; byte < (unsigned char *)&board->calls[ROWS * THREADS]; byte++)
            *byte = (unsigned char)(rand() >> 7);
        for (size_t i = 0; i < UNIT_ROWS(questions); i++) {
            const char *answer = control_ask(questions[i]);
            assert_has(answer, "\nok\n");
            for (const char *text = answer; *text != '\0'; text++)
                ck_assert_msg(*text == '\n' || (*text >= ' ' && *text < 0x7f), "%s", answer);
        }
    }
}
END_TEST

static const struct {
    const char *request;
    int signal;
} signals[] = {{"stop\n", SIGTERM}, {"reopen\n", SIGUSR1}};

START_TEST(stop_and_reopen_are_the_signals)
{
    signal(signals[_i].signal, note_signal);
    ck_assert_str_eq(control_ask(signals[_i].request), "ok\n");
    ck_assert_int_eq(last_signal, signals[_i].signal);
}
END_TEST

static void prove(unsigned seat)
{
    ready(0, seat);
    now += 2000;
    fleet_tick(fleet, now);
}

static void end_worker(unsigned slot, unsigned seat, enum worker_state state, const char *words)
{
    struct worker_end end = {.slot = slot, .state = state, .how = "fell ill", .crash_pipe = slice_of(words)};
    children[slot * FLEET_SEATS + seat].pid = 0;
    fleet_ended(fleet, (struct seat_id){slot, seat}, &end, now);
}

START_TEST(reload_does_not_wait)
{
    ck_assert_str_eq(control_ask("reload\n"), "ok\n");
    ck_assert_int_eq(fleet_seat(fleet, (struct seat_id){0, 1}), SEAT_BOOTING);
}
END_TEST

static const char *const reloads[] = {"reload\n", "reload --wait\n"};

START_TEST(a_reload_that_cannot_begin_says_why)
{
    refusal = "the file is bad";
    ck_assert_str_eq(control_ask(reloads[_i]), "failed: the file is bad\n");
}
END_TEST

/* Not before those who leave have taken note. */
START_TEST(reload_wait_comes_back_when_the_new_generation_serves)
{
    int fd = control_begin("reload --wait\n");
    prove(1);
    end_worker(0, 0, WORKER_DRAINING, "");
    ready(1, 1);
    ck_assert(!control_has_come(fd));
    scoreboard_set(board->rows[2].state, WORKER_DRAINING);
    ck_assert_str_eq(control_end(fd), "ok\n");
}
END_TEST

START_TEST(reload_wait_tells_why_it_failed)
{
    int fd = control_begin("reload --wait\n");
    end_worker(0, 1, WORKER_FAILED, "Traceback:\n  here\nok\n");
    ck_assert_str_eq(control_end(fd),
                     " Traceback:\n   here\n ok\nfailed: not reloaded: the first worker of the "
                     "new generation fell ill\n");
}
END_TEST

START_TEST(who_asks_during_a_reload_waits_for_the_next)
{
    int first = control_begin("reload --wait\n"), second = control_begin("reload --wait\n"),
        third = control_begin("reload --wait\n");
    end_worker(0, 1, WORKER_FAILED, "");
    assert_has(control_end(first), "failed: ");
    ck_assert(!control_has_come(second) && !control_has_come(third));
    prove(1);
    end_worker(0, 0, WORKER_DRAINING, "");
    ready(1, 1);
    scoreboard_set(board->rows[2].state, WORKER_DRAINING);
    ck_assert_str_eq(control_end(second), "ok\n");
    ck_assert_str_eq(control_end(third), "ok\n");
}
END_TEST

START_TEST(who_asks_while_the_configuration_is_read_waits_for_the_next_reading)
{
    reads = true;
    int fd = control_begin("reload --wait\n");
    has_read("the file is bad");
    ck_assert(!control_has_come(fd));
    has_read(NULL);
    end_worker(0, 1, WORKER_FAILED, "");
    assert_has(control_end(fd), "failed: not reloaded: the first worker");
    fd = control_begin("reload --wait\n");
    has_read(NULL);
    has_read("the file is bad");
    ck_assert_str_eq(control_end(fd), "failed: not reloaded: the file is bad\n");
}
END_TEST

START_TEST(a_stop_is_the_end_of_waiting)
{
    int first = control_begin("reload --wait\n"), second = control_begin("reload --wait\n");
    fleet_drain(fleet, now);
    ck_assert_str_eq(control_end(first), "failed: not reloaded: the service stops\n");
    ck_assert_str_eq(control_end(second), "failed: not reloaded: the service stops\n");
    ck_assert_str_eq(control_ask("reload\n"), "failed: the service stops\n");
}
END_TEST

START_TEST(what_is_no_verb_is_explained)
{
    ck_assert_str_eq(control_ask("stauts\n"), "failed: there is no \"stauts\"; did you mean \"status\"?\n");
}
END_TEST

START_TEST(without_a_socket_everything_is_nothing)
{
    control_close(NULL);
    control_forget(NULL);
    control_reloaded(NULL, "why", SLICE(""));
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, status_is_the_service_on_one_screen);
    tcase_add_test(tests, workers_are_rows);
    tcase_add_test(tests, requests_are_rows_the_oldest_first);
    unit_add_rows(tests, stacks_are_no_longer_than_what_was_read, much);
    tcase_add_test(tests, what_was_there_before_and_is_gone_is_no_stack);
    tcase_add_test(tests, noise_on_the_scoreboard_is_shown_without_harm);
    unit_add_rows(tests, stop_and_reopen_are_the_signals, signals);
    tcase_add_test(tests, reload_does_not_wait);
    unit_add_rows(tests, a_reload_that_cannot_begin_says_why, reloads);
    tcase_add_test(tests, reload_wait_comes_back_when_the_new_generation_serves);
    tcase_add_test(tests, reload_wait_tells_why_it_failed);
    tcase_add_test(tests, who_asks_during_a_reload_waits_for_the_next);
    tcase_add_test(tests, who_asks_while_the_configuration_is_read_waits_for_the_next_reading);
    tcase_add_test(tests, a_stop_is_the_end_of_waiting);
    tcase_add_test(tests, what_is_no_verb_is_explained);
    tcase_add_test(tests, without_a_socket_everything_is_nothing);
}

int main(void)
{
    return unit_run("control/control", add);
}
