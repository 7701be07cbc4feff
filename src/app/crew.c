/* The crew: the threads that run the application and the loop. */
#include "app/crew.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/baton.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "net/timers.h"
#include "py/interp.h"
#include "py/python_fork.h"
#include "py/stack.h"
#include "py/threads.h"

/* A batch of calls ends after this time, in ns: many short calls must not starve the I/O. bench/guard
 * sets another time, for valgrind. */
#ifndef BATCH_NS
#define BATCH_NS 1000000
#endif

/* After a call on the main thread, Python's signal handlers are looked at. The look costs system
 * calls. So there is at most one in this time, and one after the last call. When a look is due, a
 * call that is expected to be long comes after it. */
enum { SIGNALS_LOOK_MS = 20, SIGNALS_LOOK_NS = SIGNALS_LOOK_MS * 1000000 };

enum {
    LONG_US = 1000,      /* average from which the baton is given away before the call */
    AVERAGE_WEIGHT = 16, /* of the old average, against one call */
    DURATION_MAX_NS = 1000000000,
    KINDS = 256,        /* kinds of calls, by method and path */
    KIND_PATH_MAX = 64, /* bytes of a path that count for its kind */
};

/* The average duration of calls, decaying. A lost update does no harm. */
struct average {
    _Atomic uint32_t us;
    _Atomic uint32_t known; /* a call has been measured */
};

struct member {
    struct crew *crew;
    struct thread *thread;           /* NULL: the thread could not be started, or is the main thread */
    _Atomic uint64_t gil_awaited_ms; /* since when the thread waits for the GIL; 0: it does not wait */
    /* The last stack_unblock, before a batch of calls. The main thread looks at all signals instead. */
    uint64_t unblocked_ns;
};

struct crew {
    struct crew_setup setup;
    struct baton *baton;
    /* Fields of the main thread: */
    uint64_t signals_looked_ns;
    atomic_bool signals_due; /* calls have run since the last look */
    /* Fields of the thread with the baton: */
    struct timer *signals_timer;
    bool signals_timer_is_set;
    bool signals_wanted; /* the main thread is wanted for that look */
    struct average all;
    /* By a hash of method and path: kinds with equal hashes share an entry. */
    struct average kinds[KINDS];
    struct member members[];
};

enum { MAIN_MEMBER = 0 };

static struct average *kind_of(struct crew *crew, const struct request *request)
{
    uint64_t hash = request->method.size, word;
    size_t size = request->path.size < KIND_PATH_MAX ? request->path.size : KIND_PATH_MAX, i;
    for (i = 0; i < size; i += sizeof(word)) {
        size_t part = size - i < sizeof(word) ? size - i : sizeof(word);
        word = 0;
        memcpy(&word, request->path.data + i, part);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u; /* 2^64 / golden ratio */
        hash ^= hash >> 32;
    }
    return &crew->kinds[hash % KINDS];
}

static void average_note(struct average *average, uint32_t us)
{
    if (atomic_load_explicit(&average->known, memory_order_relaxed)) {
        uint32_t before = atomic_load_explicit(&average->us, memory_order_relaxed);
        us = (before * (AVERAGE_WEIGHT - 1) + us) / AVERAGE_WEIGHT;
    }
    atomic_store_explicit(&average->us, us, memory_order_relaxed);
    atomic_store_explicit(&average->known, 1, memory_order_relaxed);
}

/* True when calls of this kind are long. Without one measured, all calls count. */
static bool is_long(struct crew *crew, struct average *kind)
{
    bool known = atomic_load_explicit(&kind->known, memory_order_relaxed) != 0;
    return atomic_load_explicit(known ? &kind->us : &crew->all.us, memory_order_relaxed) > LONG_US;
}

static void note_duration(struct crew *crew, struct average *kind, uint64_t ns)
{
    uint32_t us = (uint32_t)((ns < DURATION_MAX_NS ? ns : DURATION_MAX_NS) / 1000);
    average_note(&crew->all, us);
    average_note(kind, us);
}

static void run_watched(struct crew *crew, unsigned member, struct exchange *exchange)
{
    struct deadline *deadline = crew->setup.deadline;
    deadline_begin(deadline, member, exchange);
    crew->setup.loop->handler->run(crew->setup.contexts[member], exchange);
    deadline_end(deadline, member);
}

/* On the main thread, GIL held. */
static void look_at_signals(struct crew *crew, uint64_t now)
{
    crew->signals_looked_ns = now;
    atomic_store_explicit(&crew->signals_due, false, memory_order_relaxed);
    crew->setup.look_at_signals(crew->setup.context);
}

static void note_main_call(struct crew *crew, uint64_t now)
{
    if (now - crew->signals_looked_ns >= SIGNALS_LOOK_NS)
        look_at_signals(crew, now);
    else
        atomic_store_explicit(&crew->signals_due, true, memory_order_relaxed);
}

/* Calls the application, with the baton given away or lent. False when the baton is gone
 * afterwards. *now is the time before and after the call. The end of a call is the beginning of the
 * next: each call costs one look at the clock. */
static bool run_exchange(struct crew *crew, unsigned member, struct exchange *exchange, uint64_t *now)
{
    uint64_t lending = 0, begun = *now;
    struct average *kind = kind_of(crew, &exchange->request);
    exchange->begun_ns = begun;
    bool passed = is_long(crew, kind);
    if (passed && member == MAIN_MEMBER && atomic_load_explicit(&crew->signals_due, memory_order_relaxed))
        look_at_signals(crew, begun); /* the look after this call would be late */
    if (passed)
        baton_pass(crew->baton);
    else
        lending = baton_lend(crew->baton);
    run_watched(crew, member, exchange);
    *now = exchange->ended_ns = clock_ns();
    if (member == MAIN_MEMBER)
        note_main_call(crew, *now);
    note_duration(crew, kind, *now - begun);
    if (!passed && baton_take_back(crew->baton, lending)) {
        exchange_finish(exchange);
        return true;
    }
    exchange_finish_later(exchange);
    return false;
}

/* With the GIL. False when the baton is gone. */
static bool run_ready(struct crew *crew, unsigned member)
{
    struct loop *loop = crew->setup.loop;
    uint64_t now = clock_ns(), end = now + BATCH_NS;
    struct exchange *exchange;
    bool held = true;
    if (member != MAIN_MEMBER && now - crew->members[member].unblocked_ns >= SIGNALS_LOOK_NS) {
        crew->members[member].unblocked_ns = now;
        stack_unblock();
    }
    while (held && now <= end && (exchange = loop_take_ready(loop)) != NULL)
        held = run_exchange(crew, member, exchange, &now);
    return held;
}

static void await_gil(struct crew *crew, unsigned member)
{
    _Atomic uint64_t *awaited_ms = &crew->members[member].gil_awaited_ms;
    atomic_store_explicit(awaited_ms, clock_ms(), memory_order_relaxed);
    gil_take();
    atomic_store_explicit(awaited_ms, 0, memory_order_relaxed);
}

unsigned crew_await_gil(const struct crew *crew, uint64_t ms)
{
    uint64_t now = clock_ms();
    unsigned count = 0;
    for (unsigned i = 0; i < crew->setup.threads; i++) {
        uint64_t since = atomic_load_explicit(&crew->members[i].gil_awaited_ms, memory_order_relaxed);
        count += since != 0 && now - since >= ms;
    }
    return count;
}

/* A thread that waits for the GIL counts as one in the application: the loop must not wait for
 * it. */
static bool run_batch(struct crew *crew, unsigned member)
{
    uint64_t lending = baton_lend(crew->baton);
    await_gil(crew, member);
    bool held = baton_take_back(crew->baton, lending) && run_ready(crew, member);
    gil_release();
    return held;
}

static void signals_timer_fired(void *context)
{
    struct crew *crew = context;
    crew->signals_timer_is_set = false;
    crew->signals_wanted = atomic_load_explicit(&crew->signals_due, memory_order_relaxed);
}

/* With the baton, between two turns. */
static bool wants_main(struct crew *crew)
{
    if (atomic_load_explicit(&crew->signals_due, memory_order_relaxed) && !crew->signals_timer_is_set) {
        crew->signals_timer_is_set = true;
        timer_set(crew->signals_timer, SIGNALS_LOOK_MS);
    }
    return crew->setup.wants_main(crew->setup.context) || crew->signals_wanted;
}

/* With the baton. True: the main thread is wanted, and the caller is the main thread and has the
 * baton. False: the baton is gone. */
static bool crew_lead(struct crew *crew, unsigned member)
{
    struct loop *loop = crew->setup.loop;
    deadline_watch(crew->setup.deadline); /* other threads may be in calls that last */
    for (;;) {
        if (wants_main(crew)) {
            if (member == MAIN_MEMBER)
                return true;
            if (baton_pass_to_first(crew->baton))
                return false;
        }
        loop_turn(loop, true);
        if (loop->ready_count > 0 && !run_batch(crew, member))
            return false;
    }
}

static void lead_beside_main(void *context, unsigned member)
{
    crew_lead(context, member);
}

static void turn_alone(void *context)
{
    struct crew *crew = context;
    deadline_watch(crew->setup.deadline);
    loop_turn_beside(crew->setup.loop);
}

static void crew_wake(void *context)
{
    struct crew *crew = context;
    loop_wake(crew->setup.loop);
}

static void serve_as_member(void *context)
{
    struct member *member = context;
    baton_serve(member->crew->baton, (unsigned)(member - member->crew->members));
}

/* Starts all threads at once, on the main thread. A call that needs a thread cannot wait for the
 * GIL to start it. When a thread cannot be started, the crew serves without it and those after
 * it. */
static void start_threads(struct crew *crew)
{
    unsigned count = 1;
    if (crew->setup.threads == 1)
        return;
    gil_take();
    for (; count < crew->setup.threads; count++) {
        struct member *member = &crew->members[count];
        char name[32];
        snprintf(name, sizeof(name), "gateway-%u", count);
        member->thread = threads_start(name, serve_as_member, member);
        if (member->thread == NULL)
            break;
    }
    gil_release();
    if (count < crew->setup.threads)
        log_error("this worker serves with %u thread%s of the %u that --threads asks for", count,
                  count == 1 ? "" : "s", crew->setup.threads);
}

/* After baton_close. False: a thread has not ended. */
static bool join_threads(struct crew *crew)
{
    bool all_ended = true;
    if (crew->setup.threads == 1)
        return true;
    gil_take();
    for (unsigned i = 1; i < crew->setup.threads && all_ended; i++)
        if (crew->members[i].thread != NULL)
            all_ended = threads_join(crew->members[i].thread);
    gil_release();
    return all_ended;
}

struct crew *crew_new(const struct crew_setup *setup)
{
    struct crew *crew = xcalloc(1, sizeof(*crew) + setup->threads * sizeof(crew->members[0]));
    const struct baton_work work = {
        .lead = lead_beside_main, .turn = turn_alone, .wake = crew_wake, .context = crew};
    crew->setup = *setup;
    setup->loop->has_forked = python_has_forked();
    crew->baton = baton_new(setup->threads, &work);
    for (unsigned i = 0; i < setup->threads; i++)
        crew->members[i].crew = crew;
    crew->signals_timer = timer_new(setup->loop->base, signals_timer_fired, crew);
    start_threads(crew);
    return crew;
}

bool crew_free(struct crew *crew)
{
    if (!baton_close(crew->baton) || !join_threads(crew))
        return false;
    baton_free(crew->baton);
    timer_free(crew->signals_timer);
    free(crew);
    return true;
}

static void look_at_signals_now(void *context)
{
    look_at_signals(context, clock_ns());
}

void crew_serve(struct crew *crew)
{
    do {
        if (crew->signals_wanted) {
            crew->signals_wanted = false;
            crew_run_python(crew, look_at_signals_now, crew);
        }
        while (!crew_lead(crew, MAIN_MEMBER))
            baton_wait(crew->baton, MAIN_MEMBER);
    } while (crew->signals_wanted);
}

void crew_run_python(struct crew *crew, void (*run)(void *context), void *context)
{
    uint64_t lending = baton_lend(crew->baton);
    gil_take();
    run(context);
    atomic_store_explicit(&crew->signals_due, run != look_at_signals_now, memory_order_relaxed);
    gil_release();
    if (!baton_take_back(crew->baton, lending))
        baton_wait(crew->baton, MAIN_MEMBER);
}

void crew_run_ready(struct crew *crew)
{
    if (crew->setup.loop->ready_count > 0 && !run_batch(crew, MAIN_MEMBER))
        baton_wait(crew->baton, MAIN_MEMBER);
}
