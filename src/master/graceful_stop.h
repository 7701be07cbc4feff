/*
 * The graceful stop, up to the moment when the workers are told to drain. The service says that it
 * is not ready. For --drain-delay it goes on, so that load balancers notice. Then it closes the
 * listeners (net/listener_drain.h), and waits until no client is on its way in.
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

/*
 * Prepares a stop. `over` is called once, perhaps within graceful_stop_begin. The addresses must
 * outlive the struct.
 */
void graceful_stop_init(struct graceful_stop *graceful_stop, struct event_base *base,
                        const struct address *addresses, size_t count, void (*over)(void *context),
                        void *context);
void graceful_stop_begin(struct graceful_stop *graceful_stop, int64_t delay_ms);
/* Skips what is left of the stop. `over` is not called. */
void graceful_stop_skip(struct graceful_stop *graceful_stop);

#endif
