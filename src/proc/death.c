/* The truth about a worker's end. */
#include "proc/death.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "proc/running_call.h"

enum { CALLS_NAMED = 8 };

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

bool death_is_sudden(int status)
{
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

static void name_calls(const struct death *death, char *out, size_t size)
{
    unsigned count = 0;
    struct running_call call;
    for (unsigned i = 0; i < death->threads; i++) {
        if (!running_call_read(&death->calls[i], death->now_ns, &call))
            continue;
        if (++count <= CALLS_NAMED)
            append(out, size, "%s\"%s\" (for %.1f s)", count == 1 ? ", while it ran " : ", ", call.request,
                   (double)call.age_ms / 1000);
    }
    if (count > CALLS_NAMED)
        append(out, size, " and %u more", count - CALLS_NAMED);
}

static const char *const killings[] = {
    [KILL_LATE] = "did not leave in time and was killed by the master",
    [KILL_SLOW_BOOT] = "did not load the application within --timeout and was killed by the master",
    [KILL_SLOW_FORK] = "did not fork a worker in time and was killed by the master",
    [KILL_AT_ONCE] = "was killed by the master, told to stop at once,",
    [KILL_UNWANTED] = "was not wanted any more and was killed by the master",
};

void death_describe_plain(const struct death *death, char *out, size_t size)
{
    if (WIFSIGNALED(death->status) && death->killed != KILL_NOT)
        snprintf(out, size, "%s", killings[death->killed]);
    else if (death_is_sudden(death->status) && death->no_memory)
        snprintf(out, size, "was killed by the kernel for want of memory (signal 9)");
    else
        death_describe_status(death->status, out, size);
    append(out, size, " after %.1f s", (double)death->age_ms / 1000);
}

void death_describe(const struct death *death, char *out, size_t size)
{
    death_describe_plain(death, out, size);
    append(out, size, " and %" PRIu64 " request%s", death->requests, death->requests == 1 ? "" : "s");
    name_calls(death, out, size);
}

enum restart_cause death_cause(const struct death *death)
{
    if (!WIFSIGNALED(death->status))
        return RESTART_EXITED;
    return death->killed != KILL_NOT ? RESTART_KILLED : RESTART_SIGNAL;
}
