/*
 * The listener drain: how a service stops taking connections without losing one.
 *
 * Closing a listening socket resets the clients in its queue, and those whose handshake is under
 * way. So first the kernel drops the first packet of each new client, which tries again later and
 * finds the port closed. Then the clients on the way in arrive, and are accepted and answered. When
 * there is no handshake left, the sockets can be closed.
 *
 * The master calls this.
 */
#ifndef NET_LISTENER_DRAIN_H
#define NET_LISTENER_DRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

/* For our own TCP sockets; another service may have inherited ones too. No handshake begins from
 * here on. Connections can be accepted before their first bytes: a silent one comes within a
 * second. */
void listener_drain_begin(const struct address *addresses, size_t count);

/* True when no handshake is under way. False also when the kernel does not tell: the caller needs a
 * deadline. */
bool listener_drain_is_quiet(const struct address *addresses, size_t count);

#endif
