/*
 * Presence: whether the client of an exchange is still there, while its request is on the ready list or its call lasts.
 *
 * The kernel knows of a reset, and of the close of a unix-domain socket. But a TCP client that has closed, and one that has only
 * said that it sends no more and waits for its answer, look alike: FIN. So one that has ended its side is asked, once: by
 * exchange_ask, if its request is HTTP/1.1. One of HTTP/1.0 would take any byte for a part of its answer; it is taken for gone
 * when its request has waited on the ready list for a second.
 *
 *   ASSUMED ──> WATCHED ── FIN, 1.1 ──> ASKED ──── a reset ──> gone
 *                  │ └──── FIN, 1.0 ──> UNSURE ─── a second ──> gone
 *                  └────── a reset, or the close of a unix socket ─> gone
 *
 * The connection of a client that is gone is broken: nothing more can be sent, so the call is closed at its next output. A
 * request on the ready list is taken off and ends, unanswered, as 499.
 *
 * A request that is answered at once pays nothing: only those that wait are watched, and only after an edge is the kernel asked.
 * But for presence_is_lost, all of this belongs to whoever runs the loop.
 */
#ifndef NET_PRESENCE_H
#define NET_PRESENCE_H

#include <stdbool.h>

struct exchange;

/* Three functions for the thread that runs the loop. True: the client is gone and the connection is broken. The caller then
 * takes a request that still waits off the ready list (loop_drop_ready). */

/* The exchange waits on the ready list, or its call lasts: from here on its client is watched. Only the first call for an
 * exchange has an effect, and none after exchange_preempt. */
bool presence_watch(struct exchange *exchange);

/* The connection has an event while the answer is due. */
bool presence_look(struct exchange *exchange);

/* For a request on the ready list that is PRESENCE_UNSURE: true when its time has passed. */
bool presence_give_up(struct exchange *exchange);

/* From any thread until exchange_finish: nobody waits for what could be sent now. A system call. */
bool presence_is_lost(struct exchange *exchange);

#endif
