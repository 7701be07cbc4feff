/*
 * /status.json: the scoreboard and the last minutes as JSON, for the status page and for programs. Seconds, bytes, Unix time.
 */
#ifndef STATUS_STATUS_JSON_H
#define STATUS_STATUS_JSON_H

#include "base/text.h"
#include "status/status_facts.h"

void status_json_render(const struct status_facts *facts, const struct totals *totals, struct text *out);

#endif
