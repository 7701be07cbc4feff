/*
 * The log files of a worker that the master has told to reopen them (USR1).
 */
#ifndef PROC_LOGS_H
#define PROC_LOGS_H

#include "access/log.h"

/* Opens both logs again by their names. `access_log`: NULL where there is none. A log that
 * cannot be opened stays in use, and the error log says so. */
void logs_reopen(struct access_log *access_log);

#endif
