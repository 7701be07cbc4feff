/*
 * The listeners: how a service stops taking connections without losing one.
 *
 * A listening socket that is closed resets the clients in its queue, and those whose handshake is under way. So first the listeners is
 * closed to those who come: the kernel drops their first packet, and they will find the port closed when they try again. Then
 * whoever was on the way in arrives, is accepted and answered. When it is quiet the sockets can go.
 */
#ifndef NET_LISTENER_DRAIN_H
#define NET_LISTENER_DRAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "net/address.h"

/* Of our own TCP sockets; those that were inherited may be somebody else's, too. No handshake begins from here on, and no
 * connection waits for its first bytes before it can be accepted: a silent one comes within a second. */
void listener_drain_begin(const struct address *addresses, size_t count);

/* No handshake is under way. False also when the kernel does not tell: whoever waits for it needs a deadline. */
bool listener_drain_is_quiet(const struct address *addresses, size_t count);

#endif
