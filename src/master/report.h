/*
 * What the service manager is told, and when (proc/notify.h says how): that the service is ready, what has changed, that it stops;
 * and the watchdog.
 *
 * The watchdog is for what nobody else notices: the master's loop stands still, or no worker's turns. A worker without requests
 * sleeps, so it is asked: a message makes its loop turn, and the turn is counted in its scoreboard row. As long as one that serves
 * has answered since the last time, the manager gets its sign of life. One that has not is asked nothing more until it has, so that
 * its worker channel has room for what matters.
 */
#ifndef MASTER_REPORT_H
#define MASTER_REPORT_H

#include <event2/event.h>

#include "base/scoreboard.h"
#include "fleet/fleet.h"

struct report;

/* NULL when there is nobody to tell. `board` has FLEET_SEATS rows a slot; `ping` sends MESSAGE_PING to the worker of a row. */
struct report *report_new(struct event_base *base, struct scoreboard *board,
                          void (*ping)(void *context, unsigned row), void *context);

/* Whenever something may have changed; `slots`: how many workers there should be. NULL is fine. */
void report_update(struct report *report, enum fleet_phase phase, unsigned slots);

void report_free(struct report *report); /* NULL is fine */

#endif
