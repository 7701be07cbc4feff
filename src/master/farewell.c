/* The beginning of an orderly stop. */
#include "master/farewell.h"

#include "base/clock.h"
#include "net/door.h"

/* A silent client comes within a second; a handshake that takes longer than that is not waited for. */
enum { QUIET_LOOK_MS = 20, QUIET_MAX_MS = 1500 };

static void set_timer(struct farewell *farewell, int64_t ms)
{
    struct timeval tv = clock_timeval((uint64_t)ms);
    event_add(farewell->timer, &tv);
}

static void look(struct farewell *farewell)
{
    if (!door_is_quiet(farewell->addresses, farewell->address_count) &&
        clock_ms() - farewell->closing_since_ms < QUIET_MAX_MS) {
        set_timer(farewell, QUIET_LOOK_MS);
        return;
    }
    farewell->state = FAREWELL_OVER;
    farewell->over(farewell->context);
}

static void close_door(struct farewell *farewell)
{
    farewell->state = FAREWELL_CLOSING;
    farewell->closing_since_ms = clock_ms();
    door_close(farewell->addresses, farewell->address_count);
    look(farewell);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct farewell *farewell = arg;
    if (farewell->state == FAREWELL_DELAYED)
        close_door(farewell);
    else if (farewell->state == FAREWELL_CLOSING)
        look(farewell);
}

void farewell_init(struct farewell *farewell, struct event_base *base, const struct address *addresses,
                   size_t count, void (*over)(void *context), void *context)
{
    *farewell =
        (struct farewell){.addresses = addresses, .address_count = count, .over = over, .context = context};
    farewell->timer = evtimer_new(base, timer_fired, farewell);
}

void farewell_begin(struct farewell *farewell, int64_t delay_ms)
{
    if (farewell->state != FAREWELL_NOT_YET)
        return;
    farewell->state = FAREWELL_DELAYED;
    if (delay_ms > 0)
        set_timer(farewell, delay_ms);
    else
        close_door(farewell);
}

void farewell_skip(struct farewell *farewell)
{
    farewell->state = FAREWELL_OVER;
    event_del(farewell->timer);
}
