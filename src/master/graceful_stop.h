/*
 * The beginning of an orderly stop, before the workers are told to drain: the service says that it is not ready, goes on for
 * --drain-delay so that load balancers notice, closes the listeners (net/listener_drain.h), and waits until nobody is on the way in.
 *
 *   NOT_YET ──begin──> DELAYED ──--drain-delay──> CLOSING ──quiet, or after a moment──> OVER
 */
#ifndef MASTER_GRACEFUL_STOP_H
#define MASTER_GRACEFUL_STOP_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "net/address.h"

enum graceful_stop_state {
    GRACEFUL_STOP_NOT_YET,
    GRACEFUL_STOP_DELAYED,
    GRACEFUL_STOP_CLOSING,
    GRACEFUL_STOP_OVER
};

struct graceful_stop {
    enum graceful_stop_state state;
    const struct address *addresses;
    size_t address_count;
    struct event *timer;
    uint64_t closing_since_ms;
    void (*over)(void *context);
    void *context;
};

/* `over` is called once, perhaps from within graceful_stop_begin. The addresses must outlive it. */
void graceful_stop_init(struct graceful_stop *graceful_stop, struct event_base *base,
                        const struct address *addresses, size_t count, void (*over)(void *context),
                        void *context);
void graceful_stop_begin(struct graceful_stop *graceful_stop, int64_t delay_ms);
/* Nobody has time for it any more; `over` is not called. */
void graceful_stop_skip(struct graceful_stop *graceful_stop);

#endif
