/*
 * Time-outs by class: in order, not early, at most a tick late, and safe to change from within.
 */
#include "net/timers.h"

#include <event2/event.h>
#include <unistd.h>

#include "base/clock.h"
#include "unit.h"

enum { MANY = 8, ATTEMPTS = 20 };

struct waiter {
    struct timeout timeout;
    uint64_t set, expired;
    enum timeout_class class;
    int order;
};

static struct event_base *base;
static struct timeouts *timeouts;
static struct waiter waiters[MANY];
static int expiries;
static void (*then)(struct waiter *waiter);

static void expired(struct timeout *timeout, enum timeout_class class)
{
    struct waiter *waiter = (struct waiter *)timeout;
    waiter->expired = clock_ms();
    waiter->class = class;
    waiter->order = expiries++;
    if (then != NULL)
        then(waiter);
}

static void set_up(void)
{
    static const uint64_t durations[TIMEOUT_CLASSES] = {
        [TIMEOUT_KEEP_ALIVE] = 200, [TIMEOUT_HEADER] = 50, [TIMEOUT_BODY] = 100, [TIMEOUT_LINGER] = 1};
    base = event_base_new();
    timeouts = timeouts_new(base, durations, expired);
}

static void tear_down(void)
{
    timeouts_free(timeouts);
    event_base_free(base);
}

static void set(int i, enum timeout_class class)
{
    waiters[i].set = clock_ms();
    timeout_set(timeouts, &waiters[i].timeout, class);
}

static void run_ms(int ms)
{
    struct timeval tv = {.tv_usec = ms * 1000};
    event_base_loopexit(base, &tv);
    event_base_dispatch(base);
}

/* The test's own time limit ends the wait. */
static void run_until(int count)
{
    while (expiries < count)
        event_base_loop(base, EVLOOP_ONCE);
}

static const struct {
    const char *name;
    enum timeout_class class;
    uint64_t ms; /* 0: never */
} cases[] = {
    {"none never expires", TIMEOUT_NONE, 0}, {"one of no duration never expires", TIMEOUT_WRITE, 0},
    {"a tick", TIMEOUT_LINGER, 1},           {"a short one", TIMEOUT_HEADER, 50},
    {"a longer one", TIMEOUT_BODY, 100},     {"the longest", TIMEOUT_KEEP_ALIVE, 200},
};

START_TEST(each_class_has_its_duration)
{
    set(0, cases[_i].class);
    if (cases[_i].ms == 0) {
        run_ms(400);
        ck_assert_uint_eq(waiters[0].expired, 0);
    } else {
        run_until(1);
        uint64_t took = waiters[0].expired - waiters[0].set;
        ck_assert_msg(took >= cases[_i].ms, "%s: %d ms", cases[_i].name, (int)took);
        ck_assert_int_eq(waiters[0].class, cases[_i].class);
    }
    timeout_clear(&waiters[0].timeout);
}
END_TEST

START_TEST(a_cleared_one_does_not_expire)
{
    set(0, TIMEOUT_HEADER);
    set(1, TIMEOUT_HEADER);
    timeout_clear(&waiters[0].timeout);
    timeout_clear(&waiters[0].timeout);
    run_until(1);
    ck_assert_uint_eq(waiters[0].expired, 0);
    ck_assert_uint_ne(waiters[1].expired, 0);
}
END_TEST

START_TEST(setting_again_moves_to_the_other_queue)
{
    set(0, TIMEOUT_HEADER);
    set(0, TIMEOUT_KEEP_ALIVE);
    run_until(1);
    ck_assert_int_eq(waiters[0].class, TIMEOUT_KEEP_ALIVE);
    ck_assert_uint_ge(waiters[0].expired - waiters[0].set, 200);
}
END_TEST

START_TEST(one_that_is_set_again_and_again_keeps_its_place_for_a_while)
{
    set(0, TIMEOUT_KEEP_ALIVE);
    set(1, TIMEOUT_KEEP_ALIVE);
    const struct timeout *behind = waiters[0].timeout.next;
    uint64_t deadline = waiters[0].timeout.deadline;
    for (int i = 0; i < 100 && waiters[0].timeout.deadline == deadline; i++) {
        ck_assert_ptr_eq(waiters[0].timeout.next, behind);
        usleep(2000);
        set(0, TIMEOUT_KEEP_ALIVE);
    }
    ck_assert_uint_ne(waiters[0].timeout.deadline, deadline);
    ck_assert_ptr_eq(waiters[1].timeout.next, &waiters[0].timeout);
    run_until(2);
    ck_assert_uint_ge(waiters[0].expired - waiters[0].set, 200);
}
END_TEST

/* The timer is armed for the long time-out when the short one is set. A process that gets no core
 * until both are due proves nothing. */
START_TEST(a_later_set_but_shorter_one_is_not_late)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        expiries = 0;
        set(0, TIMEOUT_KEEP_ALIVE);
        set(1, TIMEOUT_HEADER);
        run_until(1);
        bool is_alone = expiries == 1;
        run_until(2);
        ck_assert_int_eq(waiters[1].order, 0);
        if (is_alone)
            return;
    }
    ck_abort_msg("the short one expires with the long one");
}
END_TEST

static void set_once_more(struct waiter *waiter)
{
    if (waiter == &waiters[0] && expiries == 1)
        timeout_set(timeouts, &waiter->timeout, TIMEOUT_HEADER);
}

START_TEST(one_may_be_set_again_when_it_expires)
{
    then = set_once_more;
    set(0, TIMEOUT_HEADER);
    run_until(2);
}
END_TEST

static void clear_the_others(struct waiter *waiter)
{
    (void)waiter;
    for (int i = 0; i < MANY; i++)
        timeout_clear(&waiters[i].timeout);
}

START_TEST(others_may_be_cleared_when_one_expires)
{
    then = clear_the_others;
    for (int i = 0; i < MANY; i++)
        set(i, TIMEOUT_HEADER);
    run_until(1);
    run_ms(100);
    ck_assert_int_eq(expiries, 1);
}
END_TEST

static int visited;

static void visit(struct timeout *timeout)
{
    ck_assert_ptr_eq(timeout, &waiters[visited++].timeout);
    timeout_clear(timeout);
}

START_TEST(each_visits_one_class_oldest_first)
{
    for (int i = 0; i < MANY - 1; i++)
        set(i, TIMEOUT_KEEP_ALIVE);
    set(MANY - 1, TIMEOUT_BODY);
    timeouts_each(timeouts, TIMEOUT_KEEP_ALIVE, visit);
    ck_assert_int_eq(visited, MANY - 1);
    timeouts_each(timeouts, TIMEOUT_KEEP_ALIVE, visit);
    ck_assert_int_eq(visited, MANY - 1);
    timeout_clear(&waiters[MANY - 1].timeout);
}
END_TEST

START_TEST(an_idle_process_has_no_timer)
{
    set(0, TIMEOUT_HEADER);
    run_until(1);
    ck_assert_int_eq(event_base_get_num_events(base, EVENT_BASE_COUNT_ADDED), 0);
}
END_TEST

static int fired;

static void count_firing(void *context)
{
    ck_assert_ptr_eq(context, &fired);
    fired++;
}

static uint64_t loop_until_fired(int times)
{
    uint64_t begun = clock_ms();
    while (fired < times && clock_ms() - begun < 30000)
        event_base_loop(base, EVLOOP_ONCE);
    return clock_ms() - begun;
}

START_TEST(it_fires_once_for_each_time_it_is_set)
{
    struct timer *timer = timer_new(base, count_firing, &fired);
    for (int i = 1; i <= 3; i++) {
        timer_set(timer, 50);
        uint64_t took = loop_until_fired(i);
        ck_assert_uint_ge(took + 10, 50);
        ck_assert_int_eq(fired, i);
    }
    timer_free(timer);
}
END_TEST

START_TEST(one_that_is_set_stays_as_it_is)
{
    struct timer *timer = timer_new(base, count_firing, &fired);
    timer_set(timer, 50);
    timer_set(timer, 60000);
    loop_until_fired(1);
    ck_assert_int_eq(fired, 1);
    timer_free(timer);
}
END_TEST

START_TEST(freeing_none_is_fine)
{
    timeouts_free(NULL);
    timer_free(NULL);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_checked_fixture(tests, set_up, tear_down);
    unit_add_rows(tests, each_class_has_its_duration, cases);
    tcase_add_test(tests, a_cleared_one_does_not_expire);
    tcase_add_test(tests, setting_again_moves_to_the_other_queue);
    tcase_add_test(tests, one_that_is_set_again_and_again_keeps_its_place_for_a_while);
    tcase_add_test(tests, a_later_set_but_shorter_one_is_not_late);
    tcase_add_test(tests, one_may_be_set_again_when_it_expires);
    tcase_add_test(tests, others_may_be_cleared_when_one_expires);
    tcase_add_test(tests, each_visits_one_class_oldest_first);
    tcase_add_test(tests, an_idle_process_has_no_timer);
    tcase_add_test(tests, it_fires_once_for_each_time_it_is_set);
    tcase_add_test(tests, one_that_is_set_stays_as_it_is);
    tcase_add_test(tests, freeing_none_is_fine);
}

int main(void)
{
    return unit_run("net/timers", add);
}
