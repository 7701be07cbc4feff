/* Calls that last. */
#include "app/deadline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"
#include "net/presence.h"
#include "net/timers.h"
#include "py/interrupt.h"
#include "py/stack.h"

enum {
    LOOK_MS = 50,
    /* A call, or a wait for one, that lasts so long is watched: its client may give up. */
    LASTS_MS = 20,
    STACK_MS = 20, /* between the signal and the stack that its handler writes */
    STACK_TRIES = 10,
    STACK_MAX = 16384,
};

enum { GATEWAY_TIMEOUT = 504 };

/* The last step that a call has reached. Each step comes once. */
enum mark { MARK_NONE, MARK_SLOW, MARK_OVERDUE, MARK_STUCK };

/* A call to be logged, whose stack was asked for. There is one at a time; the others wait. */
struct finding {
    const char *what; /* NULL: there is none */
    double seconds;
    int tries; /* tries to receive the stack */
    char request[SCOREBOARD_REQUEST_SIZE];
    char tag[REQUEST_TAG_SIZE];
};

struct watched {
    const struct scoreboard_call *call;
    _Atomic pthread_t thread;
    /* The exchange of the call that runs. The holder of the baton finishes it, and so may look at
     * it. */
    _Atomic(struct exchange *) exchange;
    atomic_bool raised;
    /* Fields of the thread with the baton: */
    uint64_t since_ns; /* the call that `mark` is about */
    enum mark mark;
};

struct deadline {
    struct loop *loop;
    struct timer *timer;
    void (*stuck)(void *context);
    void *context;
    struct finding finding;
    atomic_uint raising; /* threads that wait for the GIL to raise the exception */
    unsigned threads;
    struct watched watched[];
};

/* False when the stack has not come yet. */
static bool log_finding(struct deadline *deadline)
{
    struct finding *found = &deadline->finding;
    char request[4 * SCOREBOARD_REQUEST_SIZE], stack[STACK_MAX];
    size_t size = stack_receive(stack, sizeof(stack));
    if (size == 0 && ++found->tries < STACK_TRIES)
        return false;
    request[text_escape(request, sizeof(request) - 1, found->request, strlen(found->request), true)] = '\0';
    if (size > 0)
        log_block(LOG_WARNING, stack, size, "\"%s\"%s has run for %.1f s%s", request, found->tag,
                  found->seconds, found->what);
    else
        log_warning("\"%s\"%s has run for %.1f s%s; its stack cannot be had", request, found->tag,
                    found->seconds, found->what);
    found->what = NULL;
    return true;
}

static void note_finding(struct deadline *deadline, struct watched *watched, uint64_t elapsed,
                         const char *what)
{
    struct finding *found = &deadline->finding;
    const struct exchange *exchange = watched->exchange;
    found->what = what;
    found->tries = 0;
    found->seconds = (double)elapsed / 1000;
    memcpy(found->request, watched->call->request, sizeof(found->request));
    found->tag[0] = '\0';
    /* else the call has just returned */
    if (exchange != NULL && exchange->begun_ns == watched->since_ns)
        request_tag(&exchange->request, found->tag);
    stack_request(watched->thread);
}

/* The arguments of a thread that waits for the GIL to raise the exception. */
struct raise {
    struct deadline *deadline;
    struct watched *watched;
    uint64_t since_ns;
};

/* With the GIL, which a call holds at its beginning and its end. A call that waits for its client
 * returns by itself: an exception would only hit its clean-up. */
static bool still_runs(void *context)
{
    struct raise *raise = context;
    const struct exchange *exchange = raise->watched->exchange;
    bool due = scoreboard_get(raise->watched->call->since_ns) == raise->since_ns && exchange != NULL &&
               !exchange->waiting;
    if (due)
        raise->watched->raised = true;
    return due;
}

static void *raise_main(void *argument)
{
    struct raise *raise = argument;
    interrupt_raise(raise->watched->thread, still_runs, raise);
    atomic_fetch_sub(&raise->deadline->raising, 1);
    free(raise);
    return NULL;
}

static void raise_timeout(struct deadline *deadline, struct watched *watched)
{
    pthread_t thread;
    struct raise *raise = xmalloc(sizeof(*raise));
    *raise = (struct raise){deadline, watched, watched->since_ns};
    atomic_fetch_add(&deadline->raising, 1);
    int error = thread_start(&thread, raise_main, raise);
    if (error == 0) {
        pthread_detach(thread);
        return;
    }
    atomic_fetch_sub(&deadline->raising, 1);
    log_error("gateway.RequestTimeout cannot be raised: %s", strerror(error));
    free(raise);
}

/* False when the thread was sending: the caller looks again. */
static bool time_call_out(struct deadline *deadline, struct watched *watched, uint64_t elapsed)
{
    struct exchange *exchange = watched->exchange;
    if (exchange == NULL)
        return true; /* the call has just returned */
    if (!exchange_preempt(exchange, GATEWAY_TIMEOUT))
        return false;
    const char *what = ", longer than --timeout: its answer is cut";
    if (exchange->late_status == GATEWAY_TIMEOUT)
        what = ", longer than --timeout: 504 is its answer";
    else if (exchange->late_status != 0)
        what = ", longer than --timeout: its client has gone away";
    else if (exchange->whole_sent)
        what = ", longer than --timeout: its answer had left";
    note_finding(deadline, watched, elapsed, what);
    raise_timeout(deadline, watched);
    return true;
}

static bool has_passed(uint64_t elapsed, int64_t limit)
{
    return limit > 0 && elapsed >= (uint64_t)limit;
}

static void look_at_call(struct deadline *deadline, struct watched *watched, uint64_t since, uint64_t now)
{
    const struct options *options = deadline->loop->options;
    uint64_t elapsed = (now - since) / 1000000;
    if (watched->since_ns != since) {
        watched->since_ns = since;
        watched->mark = MARK_NONE;
    }
    if (deadline->finding.what != NULL)
        return; /* its turn comes in a moment */
    if (watched->mark < MARK_SLOW && has_passed(elapsed, options->slow_request)) {
        note_finding(deadline, watched, elapsed, "");
        watched->mark = MARK_SLOW;
    } else if (watched->mark < MARK_OVERDUE && has_passed(elapsed, options->timeout) &&
               time_call_out(deadline, watched, elapsed))
        watched->mark = MARK_OVERDUE;
    if (watched->mark == MARK_OVERDUE && elapsed >= (uint64_t)(options->timeout + options->graceful_timeout))
        watched->mark = MARK_STUCK;
}

static void watch_clients(struct deadline *deadline)
{
    for (unsigned i = 0; i < deadline->threads; i++) {
        uint64_t since = scoreboard_get(deadline->watched[i].call->since_ns);
        struct exchange *exchange = deadline->watched[i].exchange;
        if (since != 0 && (clock_ns() - since) / 1000000 >= LASTS_MS && exchange != NULL)
            presence_watch(exchange);
    }
    loop_watch_ready(deadline->loop, LASTS_MS);
}

static void deadline_look(void *context)
{
    struct deadline *deadline = context;
    bool any = false;
    watch_clients(deadline);
    if (deadline->finding.what != NULL && !log_finding(deadline)) {
        timer_set(deadline->timer, STACK_MS);
        return;
    }
    for (unsigned i = 0; i < deadline->threads; i++) {
        struct watched *watched = &deadline->watched[i];
        uint64_t since = scoreboard_see(watched->call->since_ns);
        if (since != 0)
            look_at_call(deadline, watched, since, clock_ns());
        any = any || since != 0;
    }
    if (deadline->finding.what != NULL)
        timer_set(deadline->timer, STACK_MS);
    else if (any)
        timer_set(deadline->timer, LOOK_MS);
    if (deadline_stuck(deadline) > 0)
        deadline->stuck(deadline->context);
}

struct deadline *deadline_new(struct loop *loop, const struct scoreboard_call *calls, unsigned threads,
                              void (*stuck)(void *context), void *context)
{
    struct deadline *deadline = xcalloc(1, sizeof(*deadline) + threads * sizeof(deadline->watched[0]));
    deadline->loop = loop;
    deadline->stuck = stuck;
    deadline->context = context;
    deadline->threads = threads;
    deadline->timer = timer_new(loop->base, deadline_look, deadline);
    for (unsigned i = 0; i < threads; i++)
        deadline->watched[i].call = &calls[i];
    return deadline;
}

void deadline_free(struct deadline *deadline)
{
    if (deadline == NULL)
        return;
    timer_free(deadline->timer);
    if (atomic_load(&deadline->raising) == 0) /* else the memory is left to the end of the process */
        free(deadline);
}

void deadline_begin(struct deadline *deadline, unsigned thread, struct exchange *exchange)
{
    struct watched *watched = &deadline->watched[thread];
    atomic_store_explicit(&watched->thread, pthread_self(), memory_order_relaxed);
    atomic_store_explicit(&watched->exchange, exchange, memory_order_release);
}

void deadline_end(struct deadline *deadline, unsigned thread)
{
    struct watched *watched = &deadline->watched[thread];
    atomic_store_explicit(&watched->exchange, NULL, memory_order_release);
    if (atomic_load_explicit(&watched->raised, memory_order_relaxed)) {
        watched->raised = false;
        interrupt_forget();
    }
}

void deadline_watch(struct deadline *deadline)
{
    timer_set(deadline->timer, LOOK_MS);
}

unsigned deadline_stuck(const struct deadline *deadline)
{
    unsigned count = 0;
    for (unsigned i = 0; i < deadline->threads; i++) {
        const struct watched *watched = &deadline->watched[i];
        if (watched->mark == MARK_STUCK && scoreboard_get(watched->call->since_ns) == watched->since_ns)
            count++;
    }
    return count;
}
