/*
 * Presence: whether the client of an exchange is still there, while its request is on the ready
 * list or its call lasts.
 *
 * The kernel reports a reset, and the close of a Unix-domain socket. But FIN has two meanings: the
 * TCP client has closed, or it sends no more and waits for its answer. So a client that has ended
 * its side is asked once, by exchange_ask, if its request is HTTP/1.1. A client of HTTP/1.0 would
 * take any byte for a part of its answer. It counts as gone when its request has waited on the
 * ready list for a second.
 *
 *   ASSUMED ──> WATCHED ── FIN, 1.1 ──> ASKED ──── a reset ──> gone
 *                  │ └──── FIN, 1.0 ──> UNSURE ─── a second ──> gone
 *                  └────── a reset, or the close of a unix socket ─> gone
 *
 * The connection of a client that is gone is broken: nothing more can be sent. So the call is
 * closed at its next output. A request on the ready list is dropped, and ends as 499 without an
 * answer.
 *
 * A request that is answered at once pays nothing: only requests that wait are watched, and the
 * kernel is asked only after an edge. All functions but presence_is_lost are for the thread that
 * runs the loop.
 */
#ifndef NET_PRESENCE_H
#define NET_PRESENCE_H

#include <stdbool.h>

struct exchange;

/* The next three functions are for the thread that runs the loop. True: the client is gone and the
 * connection is broken. The caller then drops a request that is on the ready list
 * (loop_drop_ready). */

/* The exchange is on the ready list, or its call lasts: watches its client from here on. Only the
 * first call for an exchange has an effect, and none after exchange_preempt. */
bool presence_watch(struct exchange *exchange);

/* The connection has an event while the answer is due. */
bool presence_look(struct exchange *exchange);

/* For a request on the ready list that is PRESENCE_UNSURE: true when its time has passed. */
bool presence_give_up(struct exchange *exchange);

/* From any thread until exchange_finish: true when no client waits for output. Costs a system
 * call. */
bool presence_is_lost(struct exchange *exchange);

#endif
