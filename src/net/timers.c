/* Timers: single ones; and time-outs by class, with a sorted queue per duration and one timer for
 * all. */
#include "net/timers.h"

#include <assert.h>
#include <event2/event.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"

struct timer {
    struct event *event;
    void (*fired)(void *context);
    void *context;
};

static void timer_happened(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct timer *timer = arg;
    timer->fired(timer->context);
}

struct timer *timer_new(struct event_base *base, void (*fired)(void *context), void *context)
{
    struct timer *timer = xcalloc(1, sizeof(*timer));
    timer->fired = fired;
    timer->context = context;
    timer->event = evtimer_new(base, timer_happened, timer);
    event_priority_set(timer->event, 0);
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

enum { GRANULARITY_MS = 5, NEVER_ARMED = 0, SLACK = 64 };

struct queue {
    struct timeout head; /* a ring: head.next is the oldest */
    uint64_t duration;
};

struct timeouts {
    struct queue queues[TIMEOUT_CLASSES];
    struct event *timer;
    uint64_t armed; /* the deadline the timer is set for, ms; or NEVER_ARMED */
    void (*expired)(struct timeout *timeout, enum timeout_class class);
};

static void arm(struct timeouts *timeouts, uint64_t deadline, uint64_t now)
{
    if (timeouts->armed != NEVER_ARMED && timeouts->armed <= deadline)
        return;
    uint64_t wait = deadline > now ? deadline - now : 0;
    wait = (wait / GRANULARITY_MS + 1) * GRANULARITY_MS;
    struct timeval tv = clock_timeval(wait);
    event_add(timeouts->timer, &tv);
    timeouts->armed = deadline;
}

static void unlink_timeout(struct timeout *timeout)
{
    timeout->previous->next = timeout->next;
    timeout->next->previous = timeout->previous;
    timeout->previous = timeout->next = NULL;
    timeout->class = TIMEOUT_NONE;
}

static void expire_queue(struct timeouts *timeouts, enum timeout_class class, uint64_t now)
{
    struct queue *queue = &timeouts->queues[class];
    while (queue->head.next != &queue->head && queue->head.next->deadline <= now) {
        struct timeout *oldest = queue->head.next;
        unlink_timeout(oldest);
        timeouts->expired(oldest, class);
    }
}

static void queue_timer_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct timeouts *timeouts = arg;
    uint64_t now = clock_ms();
    timeouts->armed = NEVER_ARMED;
    for (int i = 0; i < TIMEOUT_CLASSES; i++)
        if (timeouts->queues[i].duration != 0)
            expire_queue(timeouts, (enum timeout_class)i, now);
    for (int i = 0; i < TIMEOUT_CLASSES; i++) {
        struct queue *queue = &timeouts->queues[i];
        if (queue->duration != 0 && queue->head.next != &queue->head)
            arm(timeouts, queue->head.next->deadline, now);
    }
}

struct timeouts *timeouts_new(struct event_base *base, const uint64_t durations[TIMEOUT_CLASSES],
                              void (*expired)(struct timeout *timeout, enum timeout_class class))
{
    struct timeouts *timeouts = xcalloc(1, sizeof(*timeouts));
    for (int i = 0; i < TIMEOUT_CLASSES; i++) {
        struct queue *queue = &timeouts->queues[i];
        queue->duration = durations[i];
        queue->head.next = queue->head.previous = &queue->head;
    }
    timeouts->expired = expired;
    timeouts->timer = evtimer_new(base, queue_timer_fired, timeouts);
    assert(timeouts->timer != NULL);
    event_priority_set(timeouts->timer, 0); /* before the events that keep a base busy */
    return timeouts;
}

void timeouts_free(struct timeouts *timeouts)
{
    if (timeouts == NULL)
        return;
    event_free(timeouts->timer);
    free(timeouts);
}

void timeout_set(struct timeouts *timeouts, struct timeout *timeout, enum timeout_class class)
{
    struct queue *queue = &timeouts->queues[class];
    uint64_t now = clock_ms();
    if (timeout->next != NULL && timeout->class == class && timeout->deadline >= now + queue->duration)
        return;
    timeout_clear(timeout);
    timeout->class = class;
    timeout->deadline = now + queue->duration + queue->duration / SLACK;
    timeout->previous = queue->head.previous;
    timeout->next = &queue->head;
    queue->head.previous->next = timeout;
    queue->head.previous = timeout;
    if (queue->duration != 0)
        arm(timeouts, timeout->deadline, now);
}

void timeout_clear(struct timeout *timeout)
{
    if (timeout->next != NULL)
        unlink_timeout(timeout);
}

struct timeout *timeouts_oldest(struct timeouts *timeouts, enum timeout_class class)
{
    struct queue *queue = &timeouts->queues[class];
    return queue->head.next != &queue->head ? queue->head.next : NULL;
}

void timeouts_each(struct timeouts *timeouts, enum timeout_class class,
                   void (*visit)(struct timeout *timeout))
{
    struct queue *queue = &timeouts->queues[class];
    struct timeout *next;
    for (struct timeout *t = queue->head.next; t != &queue->head; t = next) {
        next = t->next;
        visit(t);
    }
}
