/* The crew: who runs the application, and the loop. */
#include "app/crew.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "app/baton.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/exchange.h"
#include "py/interp.h"

/* Many short calls must not starve the I/O; one long call has had its turn. */
enum { BATCH_NS = 1000000 };

enum {
    LONG_US = 1000,      /* on average: the baton is given away before the call */
    AVERAGE_WEIGHT = 16, /* of what was, against one call */
    DURATION_MAX_NS = 1000000000,
};

struct crew {
    struct crew_setup setup;
    struct baton *baton;
    _Atomic uint32_t average_us;       /* of a call, decaying; nobody minds a lost update */
    _Atomic uint64_t gil_awaited_ms[]; /* since when each thread waits for the GIL; 0: it does not */
};

enum { MAIN_MEMBER = 0 };

static void note_duration(struct crew *crew, uint64_t ns)
{
    uint32_t average = atomic_load_explicit(&crew->average_us, memory_order_relaxed);
    uint64_t us = ns < DURATION_MAX_NS ? ns / 1000 : DURATION_MAX_NS / 1000;
    atomic_store_explicit(&crew->average_us,
                          (uint32_t)((average * (AVERAGE_WEIGHT - 1) + us) / AVERAGE_WEIGHT),
                          memory_order_relaxed);
}

static bool calls_are_long(struct crew *crew)
{
    return atomic_load_explicit(&crew->average_us, memory_order_relaxed) > LONG_US;
}

static void run_watched(struct crew *crew, unsigned member, struct exchange *exchange)
{
    struct deadline *deadline = crew->setup.deadline;
    deadline_begin(deadline, member, exchange);
    crew->setup.loop->handler->run(crew->setup.contexts[member], exchange);
    deadline_end(deadline, member);
}

/* Calls the application, with the baton given away or lent. False when it is gone after that. *now is the time before and after:
 * one look at the clock for each call, whose end is the beginning of the next. */
static bool run_exchange(struct crew *crew, unsigned member, struct exchange *exchange, uint64_t *now)
{
    uint64_t lending = 0;
    exchange->begun_ns = *now;
    bool passed = calls_are_long(crew);
    if (passed)
        baton_pass(crew->baton);
    else
        lending = baton_lend(crew->baton);
    run_watched(crew, member, exchange);
    *now = exchange->ended_ns = clock_ns();
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
    while (held && now <= end && (exchange = loop_take_ready(loop)) != NULL) {
        uint64_t begun = now;
        held = run_exchange(crew, member, exchange, &now);
        note_duration(crew, now - begun);
    }
    return held;
}

static void await_gil(struct crew *crew, unsigned member)
{
    atomic_store_explicit(&crew->gil_awaited_ms[member], clock_ms(), memory_order_relaxed);
    gil_take();
    atomic_store_explicit(&crew->gil_awaited_ms[member], 0, memory_order_relaxed);
}

unsigned crew_await_gil(const struct crew *crew, uint64_t ms)
{
    uint64_t now = clock_ms();
    unsigned count = 0;
    for (unsigned i = 0; i < crew->setup.threads; i++) {
        uint64_t since = atomic_load_explicit(&crew->gil_awaited_ms[i], memory_order_relaxed);
        count += since != 0 && now - since >= ms;
    }
    return count;
}

/* To wait for the GIL is to be in the application: the loop must not wait for it. */
static bool run_batch(struct crew *crew, unsigned member)
{
    uint64_t lending = baton_lend(crew->baton);
    await_gil(crew, member);
    bool held = baton_take_back(crew->baton, lending) && run_ready(crew, member);
    gil_release();
    return held;
}

/* With the baton. True: the main thread is wanted, and this is it, with the baton. False: the baton is gone. */
static bool lead(struct crew *crew, unsigned member)
{
    struct loop *loop = crew->setup.loop;
    deadline_watch(crew->setup.deadline); /* others are left behind in their calls */
    for (;;) {
        if (crew->setup.wants_main(crew->setup.context)) {
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
    lead(context, member);
}

static void turn_alone(void *context)
{
    struct crew *crew = context;
    deadline_watch(crew->setup.deadline);
    loop_turn_beside(crew->setup.loop);
}

static void wake(void *context)
{
    struct crew *crew = context;
    loop_wake(crew->setup.loop);
}

struct crew *crew_new(const struct crew_setup *setup)
{
    struct crew *crew = xcalloc(1, sizeof(*crew) + setup->threads * sizeof(crew->gil_awaited_ms[0]));
    const struct baton_work work = {
        .lead = lead_beside_main, .turn = turn_alone, .wake = wake, .context = crew};
    crew->setup = *setup;
    setup->loop->has_forked = interp_has_forked();
    crew->baton = baton_new(setup->threads, &work);
    return crew;
}

bool crew_free(struct crew *crew)
{
    if (!baton_free(crew->baton))
        return false;
    free(crew);
    return true;
}

void crew_serve(struct crew *crew)
{
    while (!lead(crew, MAIN_MEMBER))
        baton_wait(crew->baton, MAIN_MEMBER);
}

void crew_run_python(struct crew *crew, void (*run)(void))
{
    uint64_t lending = baton_lend(crew->baton);
    gil_take();
    run();
    gil_release();
    if (!baton_take_back(crew->baton, lending))
        baton_wait(crew->baton, MAIN_MEMBER);
}

void crew_run_ready(struct crew *crew)
{
    if (crew->setup.loop->ready_count > 0 && !run_batch(crew, MAIN_MEMBER))
        baton_wait(crew->baton, MAIN_MEMBER);
}
