/*
 * HTTP/1.0 and HTTP/1.1 on a connection (RFC 9112): from bytes to exchanges, one at a time and in
 * order. Belongs to the thread that runs the loop.
 *
 *   PROXY ──> NEW, where the peer has to send the PROXY protocol's header first
 *
 *            ┌──────────────── answered, kept alive: IDLE ───────────┐
 *            v                                                      │
 *   ──> NEW ──> HEAD ──> BODY ──> APP ──> (SEND while the client is slow) ──> closed
 *     │            └────────┴── refused ──────────────> SEND ──> LINGER ──────────┘
 *     └── the service stops: IDLE ──> LINGER; NEW ──> LAST, half a second ──> LINGER
 */
#ifndef NET_H1_H
#define NET_H1_H

#include "net/conn.h"

extern const struct protocol h1_protocol;

#endif
