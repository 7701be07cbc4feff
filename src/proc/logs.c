/* The log files of a process that the master has told to reopen them. */
#include "proc/logs.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "proc/privileges.h"

/* The master has reported a file that root cannot open either. */
static void note_reopened(int r, const char *option)
{
    if (r < 0 && privileges_user() != (uid_t)-1)
        log_error("--%s cannot be opened by --user, the old file stays in use: %s", option, strerror(errno));
}

void logs_reopen(struct access_log *access_log)
{
    note_reopened(log_reopen(), "error-logfile");
    if (access_log != NULL)
        note_reopened(access_log_reopen(access_log), "access-logfile");
}
