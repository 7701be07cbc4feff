/*
 * /status.json: the scoreboard and the last minutes as JSON, for the status page and for programs. Seconds, bytes, Unix time.
 */
#ifndef APP_STATUS_JSON_H
#define APP_STATUS_JSON_H

#include "app/status_facts.h"
#include "base/text.h"

void status_json_render(const struct status_facts *facts, const struct survey *survey, struct text *out);

#endif
