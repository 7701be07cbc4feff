/* The graceful stop. */
#include "master/graceful_stop.h"

#include "base/clock.h"
#include "net/listener_drain.h"

/*
 * A client that sends nothing comes within a second. The stop does not wait longer for a handshake.
 */
enum { QUIET_LOOK_MS = 20, QUIET_MAX_MS = 1500 };

static void set_timer(struct graceful_stop *graceful_stop, int64_t ms)
{
    struct timeval tv = clock_timeval((uint64_t)ms);
    event_add(graceful_stop->timer, &tv);
}

static void look(struct graceful_stop *graceful_stop)
{
    if (!listener_drain_is_quiet(graceful_stop->addresses, graceful_stop->address_count) &&
        clock_ms() - graceful_stop->closing_since_ms < QUIET_MAX_MS) {
        set_timer(graceful_stop, QUIET_LOOK_MS);
        return;
    }
    graceful_stop->state = GRACEFUL_STOP_OVER;
    graceful_stop->over(graceful_stop->context);
}

static void drain_listeners(struct graceful_stop *graceful_stop)
{
    graceful_stop->state = GRACEFUL_STOP_CLOSING;
    graceful_stop->closing_since_ms = clock_ms();
    listener_drain_begin(graceful_stop->addresses, graceful_stop->address_count);
    look(graceful_stop);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct graceful_stop *graceful_stop = arg;
    if (graceful_stop->state == GRACEFUL_STOP_DELAYED)
        drain_listeners(graceful_stop);
    else if (graceful_stop->state == GRACEFUL_STOP_CLOSING)
        look(graceful_stop);
}

void graceful_stop_init(struct graceful_stop *graceful_stop, struct event_base *base,
                        const struct address *addresses, size_t count, void (*over)(void *context),
                        void *context)
{
    *graceful_stop = (struct graceful_stop){
        .addresses = addresses, .address_count = count, .over = over, .context = context};
    graceful_stop->timer = evtimer_new(base, timer_fired, graceful_stop);
}

void graceful_stop_begin(struct graceful_stop *graceful_stop, int64_t delay_ms)
{
    if (graceful_stop->state != GRACEFUL_STOP_NOT_YET)
        return;
    graceful_stop->state = GRACEFUL_STOP_DELAYED;
    if (delay_ms > 0)
        set_timer(graceful_stop, delay_ms);
    else
        drain_listeners(graceful_stop);
}

void graceful_stop_skip(struct graceful_stop *graceful_stop)
{
    graceful_stop->state = GRACEFUL_STOP_OVER;
    event_del(graceful_stop->timer);
}
