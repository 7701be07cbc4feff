/*
 * The report to the service manager: the service is ready, has changed, or stops; and the watchdog.
 * proc/notify.h has the protocol.
 *
 * The watchdog finds what no other part notices: the loop of the master, or of every worker, stands
 * still. A worker without requests sleeps, so the master asks it: a message makes its loop turn,
 * and its scoreboard row counts turns. While one worker that serves has answered since the last
 * look, the manager gets its sign of life. A worker that has not answered is not asked again, so
 * that its worker channel has room for other messages.
 *
 * The master calls these, in its loop.
 */
#ifndef MASTER_REPORT_H
#define MASTER_REPORT_H

#include <event2/event.h>

#include "base/scoreboard.h"
#include "fleet/fleet.h"

struct report;

/*
 * Returns NULL when there is no service manager. `board` has FLEET_SEATS rows a slot. `ping` sends
 * MESSAGE_PING to the worker of a row.
 */
struct report *report_new(struct event_base *base, struct scoreboard *board,
                          void (*ping)(void *context, unsigned row), void *context);

/* Tells the manager what has changed. `slots` is how many workers there should be. NULL is fine. */
void report_update(struct report *report, enum fleet_phase phase, unsigned slots);

void report_free(struct report *report); /* NULL is fine */

#endif
