/* How a worker ended, and what is said of it. */
#include "proc/worker_end.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "base/text.h"

bool running_call_read(const struct scoreboard_call *call, uint64_t now_ns, struct running_call *running)
{
    char request[SCOREBOARD_REQUEST_SIZE];
    uint64_t since = scoreboard_call_read(call, request);
    if (since == 0)
        return false;
    running->age_ms = now_ns > since ? (now_ns - since) / 1000000 : 0;
    size_t size = strlen(request);
    running->request[text_escape(running->request, sizeof(running->request) - 1, request, size, true)] = '\0';
    return true;
}

void running_calls_warn(const struct scoreboard_call *calls, unsigned threads)
{
    for (unsigned i = 0; i < threads; i++) {
        struct running_call call;
        if (running_call_read(&calls[i], clock_ns(), &call))
            log_warning("the application did not return in time from \"%s\" (after %.1f s)", call.request,
                        (double)call.age_ms / 1000);
    }
}

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

/* The stacks to log. A worker that could not load the application has logged the reason itself. */
static struct slice worker_end_stacks(const struct worker_end *end)
{
    return end->state == WORKER_FAILED ? (struct slice){NULL, 0} : end->crash_pipe;
}

enum { NAME_SIZE = 64 };

static const char *worker_end_name(const struct worker_end *end, char text[NAME_SIZE])
{
    if (end->pid == 0)
        snprintf(text, NAME_SIZE, "worker %u", end->slot);
    else
        snprintf(text, NAME_SIZE, "worker %u%s (pid %d)", end->slot, end->of_zygote ? "'s zygote" : "",
                 (int)end->pid);
    return text;
}

int worker_end_of_start(const struct worker_end *end)
{
    bool loaded = end->state == WORKER_LOADED;
    if (loaded)
        log_block(LOG_ERROR, end->crash_pipe.data, end->crash_pipe.size,
                  "the first worker cannot serve: it %s", end->how);
    else if (end->state != WORKER_FAILED)
        log_block(LOG_ERROR, end->crash_pipe.data, end->crash_pipe.size,
                  "the application could not be loaded: the process that imported it %s", end->how);
    return loaded ? EXIT_FAILURE_RUNTIME : EXIT_APPLICATION;
}

void worker_end_lost(const struct worker_end *end, const char *next, ...)
{
    char text[128], name[NAME_SIZE];
    struct slice words = worker_end_stacks(end);
    va_list args;
    va_start(args, next);
    vsnprintf(text, sizeof(text), next, args);
    va_end(args);
    log_block(LOG_ERROR, words.data, words.size, "%s %s; %s", worker_end_name(end, name), end->how, text);
}

void worker_end_left(const struct worker_end *end)
{
    char name[NAME_SIZE];
    bool served = end->state == WORKER_READY || end->state == WORKER_DRAINING;
    if (!end->as_asked && served)
        log_block(LOG_WARNING, end->crash_pipe.data, end->crash_pipe.size, "%s %s",
                  worker_end_name(end, name), end->how);
    else
        log_debug("%s has left", worker_end_name(end, name));
}

enum restart_cause worker_end_cause(const struct worker_end *end, enum replacement why)
{
    static const enum restart_cause causes[] = {
        [REPLACE_NOT] = RESTART_EXITED,      [REPLACE_PLANNED] = RESTART_RECYCLED,
        [REPLACE_ASKED] = RESTART_ASKED,     [REPLACE_STUCK] = RESTART_STUCK,
        [REPLACE_STARVED] = RESTART_STALLED, [REPLACE_STALLED] = RESTART_STALLED,
    };
    if (end->as_asked || (end->cause == RESTART_KILLED && why >= REPLACE_STUCK))
        return causes[why];
    return end->cause;
}

void worker_end_of_reload(const struct worker_end *end)
{
    char name[NAME_SIZE];
    struct slice words = worker_end_stacks(end);
    log_block(LOG_ERROR, words.data, words.size,
              "not reloaded: %s, the first of the new generation, %s; the others go on",
              worker_end_name(end, name), end->how);
}
