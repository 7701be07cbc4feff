/* The baton: the right to run the event loop. */
#include "app/baton.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

enum {
    /* A call that lasts from one tick to the next loses the baton. A tick costs a timer interrupt
     * and two context switches. So ticks are rare until a call has been long. */
    TICK_NS = 5000000,
    ALERT_TICK_NS = 1000000,
    ALERT_TICKS = 100,    /* after a call was long */
    QUIET_TICKS = 50,     /* without a lending, until the monitor sleeps */
    CLOSE_NS = 200000000, /* wait for members that are leaving a call */
};

/* The values of baton->word: HELD; or the number of the lending, shifted left, with LENT. */
enum { HELD = 0, LENT = 1 };

struct member {
    struct baton *baton;
    unsigned number;
    bool given; /* has the baton; under the lock */
    struct member *next_idle;
    pthread_cond_t wake;
};

struct baton {
    /* Written by every lending: these have a cache line of their own. */
    _Alignas(64) _Atomic uint64_t word;
    _Atomic uint64_t lendings; /* count of lendings; written by the holder */
    atomic_bool monitor_sleeps;

    _Alignas(64) struct baton_work work;
    pthread_mutex_t lock; /* protects all fields below */
    pthread_cond_t monitor_wake;
    pthread_t monitor;
    bool monitor_given; /* the baton was passed to the monitor */
    bool monitor_leads; /* the monitor is in a turn: a member that wants the baton wakes it */
    bool monitor_runs;
    bool first_wanted; /* member 0 was busy when it was wanted: it wakes the loop when it is idle */
    bool closed;
    struct member *idle;  /* the member that parked last comes first: its caches are warm */
    unsigned serving;     /* threads in baton_serve */
    pthread_cond_t ended; /* signalled when such a thread ends, and when the monitor has begun */
    struct member members[];
};

static void note_serving(struct baton *baton, int change)
{
    pthread_mutex_lock(&baton->lock);
    baton->serving += (unsigned)change;
    pthread_cond_signal(&baton->ended);
    pthread_mutex_unlock(&baton->lock);
}

void baton_serve(struct baton *baton, unsigned member)
{
    note_serving(baton, 1);
    while (baton_wait(baton, member))
        baton->work.lead(baton->work.context, member);
    note_serving(baton, -1);
}

/* Under the lock. Takes member 0 if it is idle and `first` is set, else the member that parked
 * last. NULL when all are busy. */
static struct member *take_idle(struct baton *baton, bool first)
{
    struct member **link = &baton->idle;
    if (first)
        while (*link != NULL && (*link)->number != 0)
            link = &(*link)->next_idle;
    struct member *member = *link;
    if (member == NULL)
        return NULL;
    *link = member->next_idle;
    return member;
}

static void give(struct member *member)
{
    member->given = true;
    pthread_cond_signal(&member->wake);
}

/* Under the lock. Gives the baton to a member that is idle. False when all are busy. */
static bool give_to_member(struct baton *baton)
{
    struct member *member = take_idle(baton, false);
    if (member == NULL)
        return false;
    give(member);
    return true;
}

/* The monitor has the baton, and does the I/O alone while all members are busy. */
static void monitor_lead(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    baton->monitor_leads = true;
    while (!baton->closed && !give_to_member(baton)) {
        pthread_mutex_unlock(&baton->lock);
        baton->work.turn(baton->work.context);
        pthread_mutex_lock(&baton->lock);
    }
    baton->monitor_leads = false;
    pthread_mutex_unlock(&baton->lock);
}

static struct timespec from_now(long ns)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_nsec += ns;
    if (time.tv_nsec >= 1000000000) {
        time.tv_nsec -= 1000000000;
        time.tv_sec++;
    }
    return time;
}

/* Waits for the length of a tick. True when the monitor was given the baton. */
static bool monitor_tick(struct baton *baton, bool alert)
{
    struct timespec end = from_now(alert ? ALERT_TICK_NS : TICK_NS);
    int r = 0;
    pthread_mutex_lock(&baton->lock);
    while (!baton->monitor_given && !baton->closed && r == 0)
        r = pthread_cond_timedwait(&baton->monitor_wake, &baton->lock, &end);
    bool given = baton->monitor_given;
    baton->monitor_given = false;
    pthread_mutex_unlock(&baton->lock);
    return given;
}

/* Sleeps until the next lending. The monitor sets the flag before its last look. baton_lend reads
 * the flag after its store. So one of the two sees the other. True when the monitor was given the
 * baton. */
static bool monitor_sleep(struct baton *baton, uint64_t lendings)
{
    pthread_mutex_lock(&baton->lock);
    atomic_store(&baton->monitor_sleeps, true);
    bool quiet = atomic_load(&baton->word) == HELD && atomic_load(&baton->lendings) == lendings;
    while (quiet && atomic_load(&baton->monitor_sleeps) && !baton->monitor_given && !baton->closed)
        pthread_cond_wait(&baton->monitor_wake, &baton->lock);
    atomic_store(&baton->monitor_sleeps, false);
    bool given = baton->monitor_given;
    baton->monitor_given = false;
    pthread_mutex_unlock(&baton->lock);
    return given;
}

static bool is_closed(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    bool closed = baton->closed;
    pthread_mutex_unlock(&baton->lock);
    return closed;
}

static void *monitor_main(void *argument)
{
    struct baton *baton = argument;
    uint64_t before = HELD, lendings = 0;
    unsigned quiet = 0, alert = 0;
    pthread_mutex_lock(&baton->lock);
    baton->monitor_runs = true;
    pthread_cond_signal(&baton->ended);
    pthread_mutex_unlock(&baton->lock);
    while (!is_closed(baton)) {
        bool given = quiet >= QUIET_TICKS ? monitor_sleep(baton, lendings) : monitor_tick(baton, alert > 0);
        uint64_t word = atomic_load_explicit(&baton->word, memory_order_relaxed);
        uint64_t now = atomic_load_explicit(&baton->lendings, memory_order_relaxed);
        if (!given && word != HELD && word == before)
            given = atomic_compare_exchange_strong_explicit(&baton->word, &word, HELD, memory_order_acquire,
                                                            memory_order_relaxed);
        quiet = given || now != lendings ? 0 : quiet + 1;
        alert = given ? ALERT_TICKS : alert - (alert > 0);
        lendings = now;
        before = word;
        if (given)
            monitor_lead(baton);
    }
    return NULL;
}

/* Starts the monitor and waits until it runs. A thread that is half started must not meet a fork of
 * the application. */
static void start_monitor(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    int error = thread_start(&baton->monitor, monitor_main, baton);
    if (error != 0) {
        log_critical("the monitor's thread cannot be started: %s", strerror(error));
        _exit(1);
    }
    while (!baton->monitor_runs)
        pthread_cond_wait(&baton->ended, &baton->lock);
    pthread_mutex_unlock(&baton->lock);
}

struct baton *baton_new(unsigned members, const struct baton_work *work)
{
    size_t size = sizeof(struct baton) + members * sizeof(struct member);
    struct baton *baton = aligned_alloc(_Alignof(struct baton), (size + 63) / 64 * 64);
    pthread_condattr_t monotonic;
    assert(baton != NULL && members > 0);
    memset(baton, 0, size);
    baton->work = *work;
    pthread_mutex_init(&baton->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&baton->monitor_wake, &monotonic);
    pthread_cond_init(&baton->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (unsigned i = 0; i < members; i++) {
        baton->members[i].baton = baton;
        baton->members[i].number = i;
        pthread_cond_init(&baton->members[i].wake, NULL);
    }
    start_monitor(baton);
    return baton;
}

bool baton_close(struct baton *baton)
{
    struct timespec end = from_now(CLOSE_NS);
    int r = 0;
    pthread_mutex_lock(&baton->lock);
    baton->closed = true;
    pthread_cond_signal(&baton->monitor_wake);
    for (struct member *member = baton->idle; member != NULL; member = member->next_idle)
        pthread_cond_signal(&member->wake);
    while (baton->serving > 0 && r == 0)
        r = pthread_cond_timedwait(&baton->ended, &baton->lock, &end);
    bool all_ended = baton->serving == 0;
    pthread_mutex_unlock(&baton->lock);
    pthread_join(baton->monitor, NULL);
    return all_ended;
}

void baton_free(struct baton *baton)
{
    free(baton);
}

static void wake_monitor(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    atomic_store(&baton->monitor_sleeps, false);
    pthread_cond_signal(&baton->monitor_wake);
    pthread_mutex_unlock(&baton->lock);
}

uint64_t baton_lend(struct baton *baton)
{
    uint64_t lending = atomic_load_explicit(&baton->lendings, memory_order_relaxed) + 1;
    atomic_store_explicit(&baton->lendings, lending, memory_order_relaxed);
    atomic_store(&baton->word, lending << 1 | LENT);
    if (atomic_load(&baton->monitor_sleeps))
        wake_monitor(baton);
    return lending;
}

bool baton_take_back(struct baton *baton, uint64_t lending)
{
    uint64_t lent = lending << 1 | LENT;
    return atomic_compare_exchange_strong_explicit(&baton->word, &lent, HELD, memory_order_acquire,
                                                   memory_order_relaxed);
}

void baton_pass(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    if (!give_to_member(baton)) {
        baton->monitor_given = true;
        pthread_cond_signal(&baton->monitor_wake);
    }
    pthread_mutex_unlock(&baton->lock);
}

bool baton_pass_to_first(struct baton *baton)
{
    pthread_mutex_lock(&baton->lock);
    struct member *member = take_idle(baton, true);
    baton->first_wanted = member == NULL;
    if (member != NULL)
        give(member);
    pthread_mutex_unlock(&baton->lock);
    return member != NULL;
}

/* Under the lock. The member is idle: the thread that runs the loop may have waited for that. */
static void tell_loop(struct baton *baton, const struct member *member)
{
    bool wanted = member->number == 0 && baton->first_wanted;
    if (wanted)
        baton->first_wanted = false;
    if (wanted || baton->monitor_leads)
        baton->work.wake(baton->work.context);
}

bool baton_wait(struct baton *baton, unsigned number)
{
    struct member *member = &baton->members[number];
    pthread_mutex_lock(&baton->lock);
    if (!member->given && !baton->closed) {
        member->next_idle = baton->idle;
        baton->idle = member;
        tell_loop(baton, member);
        while (!member->given && !baton->closed)
            pthread_cond_wait(&member->wake, &baton->lock);
    }
    bool given = member->given;
    member->given = false;
    pthread_mutex_unlock(&baton->lock);
    return given;
}
