/*
 * The responses of the status process: a handler that reads only the scoreboard. No Python. One
 * thread.
 *
 *   /             the page, for people      /live    200 while there is a worker
 *   /status.json  the data of the page      /ready   200 while a worker takes requests
 *   /metrics      for Prometheus
 */
#ifndef STATUS_STATUS_H
#define STATUS_STATUS_H

#include "base/slice.h"
#include "base/text.h"
#include "net/exchange.h"
#include "status/status_facts.h"

struct status;

/* `hosts`: the names, with commas between them, that a request may have in Host, besides localhost
 * and IP addresses; NULL: none. The strings must outlive the status. */
struct status *status_new(struct scoreboard *board, const char *version, const char *python,
                          const char *application, const char *hosts);
void status_free(struct status *status);

/* Call once in HISTORY_INTERVAL_MS. */
void status_sample(struct status *status);

/* Its context is the struct status. */
extern const struct handler status_handler;

/*
 * The status page: one HTML document, made of status_page.html and its first JSON. Later it
 * requests /status.json.
 *
 * Text from clients is in the JSON only. It cannot end its element, and the page shows it as plain
 * text. The policy runs only scripts with the nonce of this response.
 */
enum { STATUS_PAGE_POLICY_SIZE = 320 };

/* `policy` becomes the value of the field Content-Security-Policy. Exported for tests. */
void status_page_render(struct slice json, struct text *out, char policy[STATUS_PAGE_POLICY_SIZE]);

#endif
