/*
 * What the answers about the service are made of: given once, read by all who render one.
 */
#ifndef STATUS_STATUS_FACTS_H
#define STATUS_STATUS_FACTS_H

#include "base/scoreboard.h"
#include "status/history.h"

struct status_facts {
    const char *version;     /* ours */
    const char *python;      /* "3.11.2" */
    const char *application; /* MODULE[:CALLABLE] */
    struct scoreboard *board;
    struct history *history;
};

#endif
