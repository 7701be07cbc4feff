/*
 * /metrics: the scoreboard as Prometheus reads it, text format 0.0.4.
 */
#ifndef APP_METRICS_H
#define APP_METRICS_H

#include "app/status_facts.h"
#include "base/text.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

void metrics_render(const struct status_facts *facts, const struct survey *survey, struct text *out);

#endif
