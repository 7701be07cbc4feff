/*
 * The status process' answers: a handler that reads the scoreboard, and nothing else. No Python.
 *
 *   /             the page, for people      /live    200 while there is a worker
 *   /status.json  what it shows             /ready   200 while one takes requests
 *   /metrics      for Prometheus
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "base/slice.h"
#include "base/text.h"
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

/*
 * The status page: one HTML document with all that it needs, made of status_page.html and the JSON it begins with. It asks for
 * /status.json from then on.
 *
 * What clients sent is in the JSON, and nowhere else: nothing in it can end the element it stands in, the page shows it as text only,
 * and the policy lets nothing run that does not bear the number of this very answer.
 */
enum { STATUS_PAGE_POLICY_SIZE = 320 };

/* `policy` becomes the value of the field Content-Security-Policy. */
void status_page_render(struct slice json, struct text *out, char policy[STATUS_PAGE_POLICY_SIZE]);

#endif
