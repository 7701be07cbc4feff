/*
 * The send claim of an exchange: which thread gets it, is refused, or waits.
 */
#include "net/send_claim.h"

#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

static const struct {
    const char *name;
    enum send_claim_state state;
    bool passes;
} cases[] = {
    {"an open one is passed", CLAIM_FREE, true},
    {"one that was passed is not", CLAIM_TAKEN, false},
    {"one that was shut never is", CLAIM_REVOKED, false},
};

START_TEST(one_at_a_time_passes_the_send_claim)
{
    const enum send_claim_state ways[] = {CLAIM_TAKEN, CLAIM_BORROWED, CLAIM_REVOKED};
    for (size_t i = 0; i < UNIT_ROWS(ways); i++) {
        struct send_claim claim = {cases[_i].state};
        ck_assert_msg(send_claim_take(&claim, ways[i]) == cases[_i].passes, "%s", cases[_i].name);
        ck_assert_int_eq(claim.state, cases[_i].passes ? ways[i] : cases[_i].state);
        ck_assert(send_claim_is_revoked(&claim) == (claim.state == CLAIM_REVOKED));
    }
}
END_TEST

static struct send_claim borrowed;

static void *give_back(void *arg)
{
    usleep(20000);
    send_claim_release(&borrowed);
    return arg;
}

START_TEST(one_that_is_borrowed_is_waited_for)
{
    pthread_t lender;
    send_claim_release(&borrowed);
    ck_assert(send_claim_take(&borrowed, CLAIM_BORROWED));
    uint64_t begun = clock_ms();
    ck_assert_int_eq(pthread_create(&lender, NULL, give_back, NULL), 0);
    ck_assert(send_claim_take(&borrowed, CLAIM_TAKEN));
    ck_assert_uint_ge(clock_ms() - begun + 10, 20);
    ck_assert(!send_claim_take(&borrowed, CLAIM_BORROWED));
    pthread_join(lender, NULL);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, one_at_a_time_passes_the_send_claim, cases);
    tcase_add_test(tests, one_that_is_borrowed_is_waited_for);
}

int main(void)
{
    return unit_run("net/send_claim", add);
}
