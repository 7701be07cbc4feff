/*
 * The baton: there is always exactly one holder, whatever the members do and however long it takes.
 *
 * The loop here is plain memory without a lock. Two threads that run it at once are found by an
 * assertion, and by the thread sanitizer.
 */
#include "app/baton.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "unit.h"

enum { MEMBERS_MAX = 8, ITEMS = 1500 };

struct item {
    struct item *next_ended;
    unsigned number;
};

/* A loop that produces `due` items and wants them back. */
static struct {
    struct baton *baton;
    atomic_int holders;
    /* Fields of the loop: */
    unsigned due, finished, turns, switches, last_leader;
    unsigned led[MEMBERS_MAX];
    unsigned char seen[ITEMS];
    bool passing;
    unsigned with_thread;
    pthread_t threads[MEMBERS_MAX];
    /* Fields for any thread: */
    atomic_uint produced, alone;
    _Atomic(struct item *) ended_later;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken;
    void (*call)(unsigned item, unsigned *random);
} fake;

static void enter(void)
{
    ck_assert_int_eq(atomic_fetch_add(&fake.holders, 1), 0);
}

static void leave(void)
{
    ck_assert_int_eq(atomic_fetch_sub(&fake.holders, 1), 1);
}

static void finish(struct item *item)
{
    ck_assert_uint_eq(fake.seen[item->number], 0);
    fake.seen[item->number] = 1;
    fake.finished++;
    free(item);
}

static void turn(void)
{
    enter();
    fake.turns++;
    struct item *item = atomic_exchange(&fake.ended_later, NULL);
    while (item != NULL) {
        struct item *next = item->next_ended;
        finish(item);
        item = next;
    }
    leave();
}

static void wake(void *context)
{
    (void)context;
    pthread_mutex_lock(&fake.lock);
    fake.woken = true;
    pthread_cond_signal(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void await_wake(void)
{
    pthread_mutex_lock(&fake.lock);
    while (!fake.woken)
        pthread_cond_wait(&fake.changed, &fake.lock);
    fake.woken = false;
    pthread_mutex_unlock(&fake.lock);
}

/* Nothing comes from outside, so only wake ends the wait. */
static void turn_alone(void *context)
{
    (void)context;
    turn();
    enter();
    fake.alone++;
    leave();
    await_wake();
}

static void post(struct item *item)
{
    item->next_ended = atomic_load(&fake.ended_later);
    while (!atomic_compare_exchange_weak(&fake.ended_later, &item->next_ended, item))
        ;
    wake(NULL);
}

/* Runs an item, as the crew does. False when the baton is gone. */
static bool run_item(unsigned member, unsigned *random)
{
    struct item *item = xcalloc(1, sizeof(*item));
    uint64_t lending = 0;
    enter();
    item->number = fake.produced++;
    fake.led[member]++;
    fake.switches += member != fake.last_leader;
    fake.last_leader = member;
    bool pass = fake.passing && rand_r(random) % 4 == 0;
    leave();
    if (pass)
        baton_pass(fake.baton);
    else
        lending = baton_lend(fake.baton);
    fake.call(item->number, random);
    if (!pass && baton_take_back(fake.baton, lending)) {
        enter();
        finish(item);
        leave();
        return true;
    }
    post(item);
    return false;
}

/* True: everything is finished, and the caller is the first member, with the baton. */
static bool lead(unsigned member)
{
    unsigned random = member * 7919 + 1;
    for (;;) {
        turn();
        if (fake.finished == fake.due && (member == 0 || baton_pass_to_first(fake.baton)))
            return member == 0;
        if (fake.produced < fake.due && !run_item(member, &random))
            return false;
    }
}

static void lead_another(void *context, unsigned member)
{
    (void)context;
    lead(member);
}

static void *serve_as_member(void *number)
{
    baton_serve(fake.baton, (unsigned)(uintptr_t)number);
    return NULL;
}

/* The last members may have no thread. */
static void open_baton(unsigned members, unsigned with_thread,
                       void (*lead_member)(void *context, unsigned member))
{
    const struct baton_work work = {.lead = lead_member, .turn = turn_alone, .wake = wake};
    pthread_mutex_init(&fake.lock, NULL);
    pthread_cond_init(&fake.changed, NULL);
    fake.with_thread = with_thread;
    fake.baton = baton_new(members, &work);
    for (uintptr_t i = 1; i < with_thread; i++)
        ck_assert_int_eq(pthread_create(&fake.threads[i], NULL, serve_as_member, (void *)i), 0);
}

static void start(unsigned members, void (*call)(unsigned, unsigned *))
{
    fake.call = call;
    open_baton(members, members, lead_another);
}

static void serve(unsigned items)
{
    fake.due += items;
    while (!lead(0))
        ck_assert(baton_wait(fake.baton, 0));
    ck_assert_uint_eq(fake.finished, fake.due);
}

static void stop(void)
{
    ck_assert(baton_close(fake.baton));
    for (unsigned i = 1; i < fake.with_thread; i++)
        ck_assert_int_eq(pthread_join(fake.threads[i], NULL), 0);
    baton_free(fake.baton);
}

static void nothing(unsigned item, unsigned *random)
{
    (void)item, (void)random;
}

/* Lasts until the monitor has had a turn of the loop. */
static void last_beyond_a_turn(unsigned item, unsigned *random)
{
    unsigned before = fake.alone;
    (void)item, (void)random;
    while (fake.alone == before)
        usleep(1000);
}

static atomic_bool is_in_call;

/* Lasts until another member has led the loop to the next item. */
static void last_beyond_the_next(unsigned item, unsigned *random)
{
    (void)random;
    while (item + 1 < fake.due && fake.produced < item + 2)
        usleep(1000);
}

static void never_return(unsigned item, unsigned *random)
{
    (void)item, (void)random;
    is_in_call = true;
    for (;;)
        pause();
}

static void anything(unsigned item, unsigned *random)
{
    (void)item;
    unsigned kind = (unsigned)rand_r(random) % 32;
    if (kind < 2)
        usleep(500 + (useconds_t)rand_r(random) % 12000);
    else if (kind < 8)
        for (volatile unsigned i = 0; i < (unsigned)rand_r(random) % 20000; i++)
            ;
}

START_TEST(short_calls_keep_the_baton)
{
    start(2, nothing);
    serve(ITEMS);
    /* A thread that loses its core for long loses the baton. Otherwise it would change at every
     * call. */
    ck_assert_uint_lt(fake.switches, ITEMS / 10);
    stop();
}
END_TEST

START_TEST(a_long_call_of_the_only_member_leaves_the_loop_to_the_monitor)
{
    start(1, last_beyond_a_turn);
    serve(5);
    ck_assert_uint_eq(fake.led[0], 5);
    ck_assert_uint_ge(fake.alone, 5);
    stop();
}
END_TEST

START_TEST(a_long_call_leaves_the_loop_to_another_member)
{
    start(4, last_beyond_the_next);
    serve(4);
    for (int i = 1; i < 4; i++)
        ck_assert_uint_le(fake.led[i], 2);
    ck_assert_uint_ge(fake.led[1] + fake.led[2] + fake.led[3], 1);
    stop();
}
END_TEST

START_TEST(what_is_passed_is_not_waited_for)
{
    start(2, nothing);
    baton_pass(fake.baton);
    ck_assert(baton_wait(fake.baton, 0));
    serve(1);
    stop();
}
END_TEST

static const struct {
    const char *name;
    unsigned members;
    bool passing;
} crews[] = {
    {"one", 1, false},          {"one that passes", 1, true}, {"two", 2, false},
    {"two that pass", 2, true}, {"eight", 8, false},          {"eight that pass", 8, true},
};

START_TEST(there_is_one_holder_whatever_happens)
{
    fake.passing = crews[_i].passing;
    start(crews[_i].members, anything);
    for (int i = 0; i < 3; i++)
        serve(ITEMS / 3);
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert_uint_eq(fake.seen[i], 1);
    stop();
}
END_TEST

START_TEST(an_idle_worker_costs_nothing)
{
    struct rusage before, after;
    start(2, nothing);
    serve(10);
    usleep(200 * 1000);
    getrusage(RUSAGE_SELF, &before);
    usleep(900 * 1000);
    getrusage(RUSAGE_SELF, &after);
    ck_assert_int_le(after.ru_nvcsw - before.ru_nvcsw, 60); /* with ticks: 180 or more */
    /* The monitor is awake again when it is needed. */
    fake.call = last_beyond_the_next;
    serve(2);
    ck_assert_uint_ge(fake.led[1], 1);
    stop();
}
END_TEST

START_TEST(a_member_without_a_thread_is_done_without)
{
    fake.call = last_beyond_a_turn;
    open_baton(3, 1, lead_another);
    serve(3);
    ck_assert_uint_eq(fake.led[0], 3);
    stop();
}
END_TEST

static atomic_bool asked_in_vain;

/* Asks before member 0 waits, and again when the loop is woken. */
static void lead_and_want_first(void *context, unsigned member)
{
    (void)context;
    ck_assert_uint_eq(member, 1);
    ck_assert(!baton_pass_to_first(fake.baton));
    asked_in_vain = true;
    await_wake();
    ck_assert(baton_pass_to_first(fake.baton));
}

START_TEST(the_loop_is_woken_when_the_first_member_is_idle_that_was_asked_for_in_vain)
{
    open_baton(2, 2, lead_and_want_first);
    baton_pass(fake.baton);
    while (!asked_in_vain)
        usleep(1000);
    ck_assert(baton_wait(fake.baton, 0));
    stop();
}
END_TEST

START_TEST(a_member_that_does_not_come_back_is_left_behind)
{
    start(2, never_return);
    fake.due = 1;
    baton_pass(fake.baton); /* to member 1, once that waits */
    while (!is_in_call)
        usleep(1000);
    ck_assert(baton_wait(fake.baton, 0));
    ck_assert_uint_eq(fake.led[1], 1);
    ck_assert(!baton_close(fake.baton));
    ck_assert_uint_eq(fake.finished, 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, short_calls_keep_the_baton);
    tcase_add_test(tests, a_long_call_of_the_only_member_leaves_the_loop_to_the_monitor);
    tcase_add_test(tests, a_long_call_leaves_the_loop_to_another_member);
    tcase_add_test(tests, what_is_passed_is_not_waited_for);
    unit_add_rows(tests, there_is_one_holder_whatever_happens, crews);
    tcase_add_test(tests, an_idle_worker_costs_nothing);
    tcase_add_test(tests, a_member_without_a_thread_is_done_without);
    tcase_add_test(tests, a_member_that_does_not_come_back_is_left_behind);
    tcase_add_test(tests, the_loop_is_woken_when_the_first_member_is_idle_that_was_asked_for_in_vain);
}

int main(void)
{
    return unit_run("app/baton", add);
}
