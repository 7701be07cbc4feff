/*
 * A timer on the loop, for the layers above, which know no event base. Fires in whatever thread runs the loop.
 */
#ifndef NET_TIMER_H
#define NET_TIMER_H

#include "net/loop.h"

struct timer;

struct timer *timer_new(struct loop *loop, void (*fired)(void *context), void *context);
void timer_free(struct timer *timer); /* NULL is fine */

/* Once, in so many ms; one that is set already stays as it is. */
void timer_set(struct timer *timer, unsigned ms);

#endif
