/* Calls that last. */
#include "app/deadline.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "net/timer.h"
#include "py/stack.h"

enum {
    LOOK_MS = 50,
    STACK_MS = 20, /* between a signal and what its handler wrote */
    STACK_MAX = 16384,
};

/* A call to be logged, whose stack was asked for. */
struct finding {
    uint64_t since_ms; /* 0: none */
    uint64_t found_ms;
    char request[SCOREBOARD_REQUEST_SIZE];
};

struct watched {
    _Atomic pthread_t thread;
    uint64_t logged_ms; /* the start of the call that was logged last */
};

struct deadline {
    struct loop *loop;
    const struct scoreboard_call *calls;
    struct timer *timer;
    struct finding finding;
    unsigned threads;
    struct watched watched[];
};

static void log_finding(struct deadline *deadline)
{
    struct finding *found = &deadline->finding;
    char request[4 * SCOREBOARD_REQUEST_SIZE], stack[STACK_MAX];
    size_t size = stack_receive(stack, sizeof(stack));
    double seconds = (double)(found->found_ms - found->since_ms) / 1000;
    request[log_escape(request, sizeof(request) - 1, found->request, strlen(found->request), true)] = '\0';
    if (size > 0)
        log_block(LOG_WARNING, stack, size, "\"%s\" has run for %.1f s", request, seconds);
    else
        log_warning("\"%s\" has run for %.1f s; its stack can not be had", request, seconds);
    found->since_ms = 0;
}

static void find(struct deadline *deadline, unsigned thread, uint64_t since)
{
    struct finding *found = &deadline->finding;
    deadline->watched[thread].logged_ms = since;
    found->since_ms = since;
    found->found_ms = clock_ms();
    memcpy(found->request, deadline->calls[thread].request, sizeof(found->request));
    stack_request(deadline->watched[thread].thread);
}

/* Finds at most one call that is to be logged. True when any call runs. */
static bool look_at_calls(struct deadline *deadline)
{
    uint64_t limit = (uint64_t)deadline->loop->options->slow_request, now = clock_ms();
    bool any = false;
    for (unsigned i = 0; i < deadline->threads; i++) {
        uint64_t since = scoreboard_get(deadline->calls[i].since_ms);
        if (since == 0)
            continue;
        any = true;
        if (deadline->finding.since_ms == 0 && since != deadline->watched[i].logged_ms &&
            now - since >= limit)
            find(deadline, i, since);
    }
    return any;
}

static void look(void *context)
{
    struct deadline *deadline = context;
    if (deadline->finding.since_ms != 0)
        log_finding(deadline);
    bool any = look_at_calls(deadline);
    if (deadline->finding.since_ms != 0)
        timer_set(deadline->timer, STACK_MS);
    else if (any)
        timer_set(deadline->timer, LOOK_MS);
}

struct deadline *deadline_new(struct loop *loop, const struct scoreboard_call *calls, unsigned threads)
{
    struct deadline *deadline = xcalloc(1, sizeof(*deadline) + threads * sizeof(deadline->watched[0]));
    deadline->loop = loop;
    deadline->calls = calls;
    deadline->threads = threads;
    deadline->timer = timer_new(loop, look, deadline);
    return deadline;
}

void deadline_free(struct deadline *deadline)
{
    if (deadline == NULL)
        return;
    timer_free(deadline->timer);
    free(deadline);
}

void deadline_join(struct deadline *deadline, unsigned thread)
{
    deadline->watched[thread].thread = pthread_self();
}

void deadline_watch(struct deadline *deadline)
{
    timer_set(deadline->timer, LOOK_MS);
}
