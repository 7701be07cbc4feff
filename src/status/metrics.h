/*
 * /metrics: the scoreboard in the text format 0.0.4 of Prometheus. The caller owns `out`; one
 * thread.
 */
#ifndef STATUS_METRICS_H
#define STATUS_METRICS_H

#include "base/text.h"
#include "status/status_facts.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_render(const struct status_facts *facts, const struct totals *totals, struct text *out);

#endif
