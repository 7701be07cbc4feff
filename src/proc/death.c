/* The truth about a worker's end. */
#include "proc/death.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static void __attribute__((format(printf, 3, 4))) append(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list args;
    va_start(args, format);
    vsnprintf(out + used, size - used, format, args);
    va_end(args);
}

void death_describe_status(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was killed by signal %d (%s%s)", WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(out, size, "exited with status %d", WEXITSTATUS(status));
}

void death_describe(const struct death *death, char *out, size_t size)
{
    if (WIFSIGNALED(death->status) && death->killed_by_us)
        snprintf(out, size, "did not leave in time and was killed by the master");
    else
        death_describe_status(death->status, out, size);
    append(out, size, " after %.1f s and %" PRIu64 " request%s", (double)death->age_ms / 1000,
           death->requests, death->requests == 1 ? "" : "s");
    if (death->request != NULL)
        append(out, size, ", while it ran \"%.*s\" (for %.1f s)", SCOREBOARD_REQUEST_SIZE - 1, death->request,
               (double)death->request_ms / 1000);
}

enum restart_cause death_cause(const struct death *death)
{
    if (!WIFSIGNALED(death->status))
        return RESTART_EXITED;
    return death->killed_by_us ? RESTART_KILLED : RESTART_SIGNAL;
}
