/*
 * The beginning of an orderly stop, before the workers are told to drain: the service says that it is not ready, goes on for
 * --drain-delay so that load balancers notice, closes the door (net/door.h), and waits until nobody is on the way in.
 *
 *   NOT_YET ──begin──> DELAYED ──--drain-delay──> CLOSING ──quiet, or after a moment──> OVER
 */
#ifndef MASTER_FAREWELL_H
#define MASTER_FAREWELL_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"

enum farewell_state { FAREWELL_NOT_YET, FAREWELL_DELAYED, FAREWELL_CLOSING, FAREWELL_OVER };

struct farewell {
    enum farewell_state state;
    const struct address *addresses;
    size_t address_count;
    struct event *timer;
    uint64_t closing_since_ms;
    void (*over)(void *context);
    void *context;
};

/* `over` is called once, perhaps from within farewell_begin. The addresses must outlive it. */
void farewell_init(struct farewell *farewell, struct event_base *base, const struct address *addresses,
                   size_t count, void (*over)(void *context), void *context);
void farewell_begin(struct farewell *farewell, int64_t delay_ms);
/* Nobody has time for it any more; `over` is not called. */
void farewell_skip(struct farewell *farewell);

#endif
