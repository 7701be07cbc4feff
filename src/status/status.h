/*
 * The status process' answers: a handler that reads the scoreboard, and nothing else. No Python.
 *
 *   /             the page, for people      /live    200 while there is a worker
 *   /status.json  what it shows             /ready   200 while one takes requests
 *   /metrics      for Prometheus
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "net/exchange.h"
#include "status/status_facts.h"

struct status;

/* `hosts`: names with commas between them that requests may have in Host, besides localhost and IP
 * addresses; NULL: none. The strings must outlive the status. */
struct status *status_new(struct scoreboard *board, const char *version, const char *python,
                          const char *application, const char *hosts);
void status_free(struct status *status);

/* Once in HISTORY_INTERVAL_MS. */
void status_sample(struct status *status);

/* Its context is the struct status. */
extern const struct handler status_handler;

#endif
