/*
 * The scoreboard full of noise: workers can write anything there at any time.
 *
 * The master and the status process read it, and their text stays harmless. Under sanitizers the
 * same tests find a wrong index, size or conversion.
 */
#include <event2/event.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"
#include "fleet/slot.h"
#include "master/report.h"
#include "master/unserved_slots.h"
#include "proc/worker_end.h"
#include "status/metrics.h"
#include "status/status.h"
#include "status/status_json.h"

#include "unit.h"

enum { SLOTS = 2, THREADS = 3, ROWS = SLOTS * FLEET_SEATS, ROUNDS = 60 };

static struct status_facts facts;
static uint64_t random_state;

static void set_up(void)
{
    facts = (struct status_facts){"1.2", "3.x", "shop:app", scoreboard_new(ROWS, THREADS), history_new()};
    facts.board->seats = FLEET_SEATS;
}

static void tear_down(void)
{
    scoreboard_free(facts.board);
    history_free(facts.history);
}

/* splitmix64: the same noise at each run. */
static uint64_t next_random(void)
{
    uint64_t z = random_state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Numbers of all sizes: a state or an index that is a little too large passes more checks. */
static uint64_t some_number(void)
{
    uint64_t mask = next_random();
    return (mask & 1) != 0 ? next_random() : next_random() >> (mask >> 8 & 63) >> (mask >> 16 & 31);
}

static void fill(void)
{
    struct scoreboard *board = facts.board;
    uint64_t *at = (void *)board->service, *end = (void *)&board->calls[board->count * board->threads];
    while (at < end)
        *at++ = some_number();
}

/* Neither a terminal nor a reader of JSON finds anything to obey in it. */
static void assert_harmless(const struct text *text, bool lines)
{
    struct text plain;
    text_init(&plain);
    if (lines)
        for (size_t i = 0; i < text->size; i++)
            ck_assert_msg(text->data[i] == '\n' || (text->data[i] >= ' ' && text->data[i] < 0x7f), "%02x",
                          (unsigned char)text->data[i]);
    else
        text_add_plain(&plain, text->data, text->size - 1, false);
    ck_assert_msg(lines || plain.size == text->size - 1, "%.*s", (int)text->size, text->data);
    text_fini(&plain);
}

static void assert_numbers_are_json(struct text *json)
{
    static const char *const none[] = {":inf", ":-inf", ":nan", ":-nan", "[inf", ",inf", "[nan", ",nan"};
    text_add(json, "", 1);
    for (size_t i = 0; i < UNIT_ROWS(none); i++)
        ck_assert_msg(strstr(json->data, none[i]) == NULL, "%s: %s", none[i], json->data);
}

static void render_all(void)
{
    struct totals totals;
    struct text json, metrics, page;
    char policy[STATUS_PAGE_POLICY_SIZE];
    totals_take(&totals, facts.board);
    history_add(facts.history, &totals);
    totals_take(&totals, facts.board);
    text_init(&json);
    text_init(&metrics);
    text_init(&page);
    status_json_render(&facts, &totals, &json);
    assert_harmless(&json, false);
    metrics_render(&facts, &totals, &metrics);
    assert_harmless(&metrics, true);
    status_page_render((struct slice){json.data, json.size}, &page, policy);
    assert_numbers_are_json(&json);
    text_fini(&json);
    text_fini(&metrics);
    text_fini(&page);
}

static void describe_end(void)
{
    const struct death death = {
        .status = SIGKILL, .calls = facts.board->calls, .threads = THREADS, .now_ns = clock_ns()};
    char text[DEATH_MAX];
    death_describe(&death, text, sizeof(text));
    for (const char *at = text; *at != '\0'; at++)
        ck_assert_msg(*at >= ' ' && *at < 0x7f, "%s", text);
}

static void note_and_read(void)
{
    struct scoreboard *board = facts.board;
    struct scoreboard_restart restart;
    static char text[SCOREBOARD_FAILED_RELOAD_SIZE];
    size_t size;
    for (uint64_t age = 0; age < SCOREBOARD_RESTARTS; age++)
        if (scoreboard_read_restart(board->service, age, &restart))
            ck_assert_uint_lt(strlen(restart.how), SCOREBOARD_HOW_SIZE);
    if (scoreboard_read_failed_reload(&board->service->failed_reload, 1, text, &size))
        ck_assert_uint_le(size, sizeof(text));
    scoreboard_note_restart(board, 0, 1, RESTART_EXITED, "exited");
    scoreboard_note_failed_reload(board, "why", 3);
}

static void read_calls(void)
{
    struct running_call call;
    for (unsigned i = 0; i < ROWS * THREADS; i++)
        if (running_call_read(&facts.board->calls[i], clock_ns(), &call))
            ck_assert_uint_lt(strlen(call.request), sizeof(call.request));
}

START_TEST(whoever_renders_it_gets_through)
{
    for (int round = 0; round < ROUNDS; round++) {
        fill();
        render_all();
    }
}
END_TEST

START_TEST(the_master_gets_through)
{
    for (int round = 0; round < ROUNDS; round++) {
        fill();
        describe_end();
        read_calls();
        note_and_read();
    }
}
END_TEST

static void ping(void *context, unsigned row)
{
    (void)context;
    ck_assert_uint_lt(row, ROWS);
}

START_TEST(whoever_watches_the_workers_gets_through)
{
    struct address address;
    char message[256];
    struct event_base *base = event_base_new();
    setenv("NOTIFY_SOCKET", "@gateway-test-noise", 1);
    setenv("WATCHDOG_USEC", "2000", 1);
    struct report *report = report_new(base, facts.board, ping, NULL);
    ck_assert_int_eq(address_parse(&address, "--bind", "127.0.0.1:0", message, sizeof(message)), 0);
    ck_assert_int_eq(address_listen(&address, SLOTS, 64, message, sizeof(message)), 0);
    struct unserved_slots *unserved = unserved_slots_new(facts.board, SLOTS, &address, 1);
    for (int round = 0; round < ROUNDS; round++) {
        fill();
        unserved_slots_tick(unserved);
        report_update(report, FLEET_SERVING, SLOTS);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    unserved_slots_free(unserved);
    report_free(report);
    address_close(&address, false);
    event_base_free(base);
}
END_TEST

/* A failed reload was shown for ever, or never again, once its number was odd. */
START_TEST(what_the_master_notes_is_read_whatever_stood_there)
{
    struct scoreboard_restart restart;
    char text[SCOREBOARD_FAILED_RELOAD_SIZE];
    size_t size;
    fill();
    scoreboard_note_failed_reload(facts.board, "why", 3);
    ck_assert(scoreboard_read_failed_reload(&facts.board->service->failed_reload, 0, text, &size));
    unit_assert_bytes("the failed reload", text, size, "why", (size_t)3);
    memset(facts.board->service->restarts, 0, sizeof(facts.board->service->restarts));
    scoreboard_note_restart(facts.board, 1, 7, RESTART_SIGNAL, "was killed");
    ck_assert(scoreboard_read_restart(facts.board->service, 0, &restart));
    ck_assert_str_eq(restart.how, "was killed");
}
END_TEST

/* A second process writes while the first one reads. */
START_TEST(it_may_change_between_two_looks)
{
    pid_t writer = fork();
    while (writer == 0)
        fill();
    for (int round = 0; round < ROUNDS; round++) {
        struct totals totals;
        struct text text;
        text_init(&text);
        totals_take(&totals, facts.board);
        status_json_render(&facts, &totals, &text);
        assert_harmless(&text, false);
        text_fini(&text);
        describe_end();
        read_calls();
        note_and_read();
    }
    kill(writer, SIGKILL);
    ck_assert_int_eq(waitpid(writer, NULL, 0), writer);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, whoever_renders_it_gets_through);
    tcase_add_test(tests, the_master_gets_through);
    tcase_add_test(tests, whoever_watches_the_workers_gets_through);
    tcase_add_test(tests, what_the_master_notes_is_read_whatever_stood_there);
    tcase_add_test(tests, it_may_change_between_two_looks);
}

int main(void)
{
    return unit_run("master/noise", add);
}
