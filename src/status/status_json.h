/*
 * /status.json: the scoreboard and the history as JSON, for the status page and for programs. Units
 * are seconds, bytes and Unix time. The caller owns `out`; one thread.
 */
#ifndef STATUS_STATUS_JSON_H
#define STATUS_STATUS_JSON_H

#include "base/text.h"
#include "status/status_facts.h"

void status_json_render(const struct status_facts *facts, const struct totals *totals, struct text *out);

#endif
