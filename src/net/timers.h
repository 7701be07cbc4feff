/*
 * Timers on an event base: a single one that fires once, for the layers above, which know of a base only that it is there; and
 * time-outs by class, for connections.
 *
 * Every connection waits in at most one queue, and all members of a queue have the same duration: so each queue is sorted
 * by deadline without sorting, and one coarse timer serves all. A deadline has some slack. A connection that sets the same
 * time-out again and again stays where it is in the queue, and touches no neighbour's memory. An idle process has no timer
 * that ticks: the timer is armed for the earliest deadline only.
 *
 * Belongs to the thread that runs the loop; all callbacks come there, before the events of connections.
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
    TIMEOUT_NONE, /* waits without a deadline */
    TIMEOUT_KEEP_ALIVE,
    TIMEOUT_SILENT, /* as long as TIMEOUT_HEADER, in a queue of its own */
    TIMEOUT_HEADER,
    TIMEOUT_BODY,
    TIMEOUT_WRITE,
    TIMEOUT_LAST,
    TIMEOUT_LINGER,
    TIMEOUT_CLASSES
};

/* Embedded in what waits. Zero is: waits for nothing. */
struct timeout {
    struct timeout *previous, *next;
    uint64_t deadline;        /* ms, see base/clock.h */
    enum timeout_class class; /* the queue; TIMEOUT_NONE when it is in none */
};

/* `durations` in ms, one per class; 0 = never. `expired` is called from the loop, after the timeout was unlinked; it may set,
 * clear or free any timeout. */
struct timeouts *timeouts_new(struct event_base *base, const uint64_t durations[TIMEOUT_CLASSES],
                              void (*expired)(struct timeout *timeout, enum timeout_class class));
void timeouts_free(struct timeouts *timeouts); /* NULL is fine */

/* From now, in whatever queue it was before. It expires not before the duration, and at most a 64th of it later (and a tick). */
void timeout_set(struct timeouts *timeouts, struct timeout *timeout, enum timeout_class class);
void timeout_clear(struct timeout *timeout);

/* The one in the class that was set first, with the slack of its deadline; NULL: none is. */
struct timeout *timeouts_oldest(struct timeouts *timeouts, enum timeout_class class);

/* Calls `visit` for everyone in one class, oldest first; visit may clear or free the one it is given, and no other. */
void timeouts_each(struct timeouts *timeouts, enum timeout_class class,
                   void (*visit)(struct timeout *timeout));

#endif
