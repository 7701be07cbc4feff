/* A timer on the loop. */
#include "net/timer.h"

#include <event2/event.h>
#include <stdlib.h>

#include "base/mem.h"

struct timer {
    struct event *event;
    void (*fired)(void *context);
    void *context;
};

static void happened(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct timer *timer = arg;
    timer->fired(timer->context);
}

struct timer *timer_new(struct loop *loop, void (*fired)(void *context), void *context)
{
    struct timer *timer = xcalloc(1, sizeof(*timer));
    timer->fired = fired;
    timer->context = context;
    timer->event = evtimer_new(loop->base, happened, timer);
    event_priority_set(timer->event, PRIORITY_FIRST);
    return timer;
}

void timer_free(struct timer *timer)
{
    if (timer == NULL)
        return;
    event_free(timer->event);
    free(timer);
}

void timer_set(struct timer *timer, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    if (!event_pending(timer->event, EV_TIMEOUT, NULL))
        event_add(timer->event, &tv);
}
