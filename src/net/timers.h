/*
 * Timers on an event base. A single timer fires once. It is for the layers above, which pass a base
 * on and do not use it. Time-outs by class are for connections.
 *
 * Every connection waits in at most one queue, and all members of a queue have the same duration.
 * So each queue is sorted by deadline without sorting, and one coarse timer serves all. A deadline
 * has some slack. A connection that sets the same time-out again and again stays where it is in the
 * queue, and touches no neighbour's memory. An idle process has no timer that ticks: the timer is
 * armed for the earliest deadline only.
 *
 * Belongs to the thread that runs the loop. All callbacks come there, before the events of
 * connections.
 */
#ifndef NET_TIMERS_H
#define NET_TIMERS_H

#include <stdint.h>

struct event_base;
struct timer;
struct timeouts;

struct timer *timer_new(struct event_base *base, void (*fired)(void *context), void *context);
void timer_free(struct timer *timer); /* NULL is fine */

/* Fires once, in `ms` milliseconds. A timer that is set already stays as it is. */
void timer_set(struct timer *timer, unsigned ms);

enum timeout_class {
    TIMEOUT_NONE, /* the connection waits without a deadline */
    TIMEOUT_KEEP_ALIVE,
    TIMEOUT_SILENT, /* as long as TIMEOUT_HEADER, in a queue of its own */
    TIMEOUT_HEADER,
    TIMEOUT_BODY,
    TIMEOUT_WRITE,
    TIMEOUT_LAST,
    TIMEOUT_LINGER,
    TIMEOUT_CLASSES
};

/* Embedded in its owner. A zeroed struct waits for nothing. */
struct timeout {
    struct timeout *previous, *next;
    uint64_t deadline;        /* ms, see base/clock.h */
    enum timeout_class class; /* its queue; TIMEOUT_NONE: in no queue */
};

/* `durations` are in ms, one per class; 0: never. `expired` is called from the loop, after the
 * timeout was unlinked. It may set, clear or free any timeout. */
struct timeouts *timeouts_new(struct event_base *base, const uint64_t durations[TIMEOUT_CLASSES],
                              void (*expired)(struct timeout *timeout, enum timeout_class class));
void timeouts_free(struct timeouts *timeouts); /* NULL is fine */

/* Moves the timeout to that queue, from now on. It does not expire before the duration, and at most
 * a 64th of it and a tick later. */
void timeout_set(struct timeouts *timeouts, struct timeout *timeout, enum timeout_class class);
void timeout_clear(struct timeout *timeout);

/* The timeout of the class that was set first, within the slack of its deadline, or NULL. */
struct timeout *timeouts_oldest(struct timeouts *timeouts, enum timeout_class class);

/* Calls `visit` for all timeouts of a class, oldest first. `visit` may clear or free its own
 * timeout and no other. */
void timeouts_each(struct timeouts *timeouts, enum timeout_class class,
                   void (*visit)(struct timeout *timeout));

#endif
