/*
 * The facts that the pages about the service are made of. The struct status owns them; all strings
 * are borrowed.
 */
#ifndef STATUS_STATUS_FACTS_H
#define STATUS_STATUS_FACTS_H

#include "base/scoreboard.h"
#include "status/history.h"

struct status_facts {
    const char *version;     /* of gateway */
    const char *python;      /* "3.11.2" */
    const char *application; /* MODULE[:CALLABLE] */
    struct scoreboard *board;
    struct history *history;
};

#endif
