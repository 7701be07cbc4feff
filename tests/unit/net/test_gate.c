/*
 * The gate of an exchange: who is let through, who is turned away, who waits.
 */
#include "net/gate.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static const struct {
    const char *name;
    enum gate_state state;
    bool passes;
} cases[] = {
    {"an open one is passed", GATE_OPEN, true},
    {"one that was passed is not", GATE_PASSED, false},
    {"one that was shut never is", GATE_SHUT, false},
};

START_TEST(one_at_a_time_passes_the_gate)
{
    const enum gate_state ways[] = {GATE_PASSED, GATE_BORROWED, GATE_SHUT};
    for (size_t i = 0; i < UNIT_ROWS(ways); i++) {
        struct gate gate = {cases[_i].state};
        ck_assert_msg(gate_pass(&gate, ways[i]) == cases[_i].passes, "%s", cases[_i].name);
        ck_assert_int_eq(gate.state, cases[_i].passes ? ways[i] : cases[_i].state);
        ck_assert(gate_is_shut(&gate) == (gate.state == GATE_SHUT));
    }
}
END_TEST

static struct gate borrowed;

static void *give_back(void *arg)
{
    usleep(20000);
    gate_open(&borrowed);
    return arg;
}

START_TEST(one_that_is_borrowed_is_waited_for)
{
    pthread_t lender;
    gate_open(&borrowed);
    ck_assert(gate_pass(&borrowed, GATE_BORROWED));
    uint64_t begun = clock_ms();
    ck_assert_int_eq(pthread_create(&lender, NULL, give_back, NULL), 0);
    ck_assert(gate_pass(&borrowed, GATE_PASSED));
    ck_assert_uint_ge(clock_ms() - begun + 10, 20);
    ck_assert(!gate_pass(&borrowed, GATE_BORROWED));
    pthread_join(lender, NULL);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, one_at_a_time_passes_the_gate, cases);
    tcase_add_test(tests, one_that_is_borrowed_is_waited_for);
}

int main(void)
{
    return unit_run("net/gate", add);
}
