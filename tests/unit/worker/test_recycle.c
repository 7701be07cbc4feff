/*
 * Recycling: each limit is told once, when it is reached and not before.
 */
#include "worker/recycle.h"

#include <unistd.h>

#include "../net/net_fixture.h"

static struct fixture fixture;
static struct recycle recycle;
static int told;

static void due(void *context)
{
    ck_assert_ptr_eq(context, &fixture);
    told++;
}

static void begin(const char *options, uint32_t random)
{
    fixture_start(&fixture, options);
    scoreboard_set(fixture.loop->row->requests, 1000); /* of the workers before */
    told = 0;
    recycle_init(&recycle, fixture.loop, random, due, &fixture);
}

static void finish(void)
{
    recycle_fini(&recycle);
    fixture_stop(&fixture);
}

static void count_to(uint64_t requests)
{
    scoreboard_set(fixture.loop->row->requests, 1000 + requests);
    recycle_look(&recycle);
}

static void turn_for(uint64_t ms)
{
    uint64_t end = clock_ms() + ms;
    while (clock_ms() < end && told == 0) {
        fixture_turn(&fixture);
        usleep(1000);
    }
}

static const struct {
    const char *name, *options;
    uint32_t random;
    uint64_t due;
} counts[] = {
    {"without jitter", "--max-requests 10", 12345, 10},
    {"with the least jitter", "--max-requests 10 --max-requests-jitter 4", 10, 10},
    {"with the most", "--max-requests 10 --max-requests-jitter 4", 14, 14},
    {"jitter alone is nothing", "--max-requests-jitter 4", 14, UINT64_MAX / 2},
    {"off", "", 14, UINT64_MAX / 2},
};

START_TEST(requests_are_counted_from_the_beginning)
{
    begin(counts[_i].options, counts[_i].random);
    count_to(0);
    count_to(counts[_i].due - 1);
    ck_assert_msg(told == 0, "%s: too early", counts[_i].name);
    if (counts[_i].due < 100) {
        count_to(counts[_i].due);
        count_to(counts[_i].due + 1);
        ck_assert_msg(told == 1, "%s: once", counts[_i].name);
    }
    finish();
}
END_TEST

static const struct {
    const char *name, *options;
    int told;
} looks[] = {
    {"one that is old", "--max-lifetime 100ms", 1},
    {"one that is not", "--max-lifetime 1h", 0},
    {"one that is large", "--max-rss 64k", 1},
    {"one that is not large", "--max-rss 100g", 0},
    {"one that is both is told once", "--max-rss 64k --max-lifetime 100ms", 1},
};

START_TEST(age_and_memory_are_looked_at)
{
    begin(looks[_i].options, 0);
    ck_assert_int_eq(told, 0);
    turn_for(looks[_i].told > 0 ? 30000 : 1500);
    ck_assert_msg(told == looks[_i].told, "%s: %d", looks[_i].name, told);
    count_to(1000000);
    ck_assert_int_eq(told, looks[_i].told);
    finish();
}
END_TEST

START_TEST(without_a_limit_nothing_ticks)
{
    begin("--max-requests 10", 0);
    ck_assert_ptr_null(recycle.timer);
    finish();
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, requests_are_counted_from_the_beginning, counts);
    unit_add_rows(tests, age_and_memory_are_looked_at, looks);
    tcase_add_test(tests, without_a_limit_nothing_ticks);
}

int main(void)
{
    return unit_run("worker/recycle", add);
}
