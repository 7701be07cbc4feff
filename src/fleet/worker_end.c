/* How a worker ended, and what is said of it. */
#include "fleet/worker_end.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/exit_status.h"
#include "base/log.h"

/* One that could not load the application has told why. */
static struct slice untold(const struct worker_end *end)
{
    return end->state == WORKER_FAILED ? (struct slice){NULL, 0} : end->crash_pipe;
}

enum { WHO_SIZE = 64 };

static const char *who(const struct worker_end *end, char text[WHO_SIZE])
{
    if (end->pid == 0)
        snprintf(text, WHO_SIZE, "worker %u", end->slot);
    else
        snprintf(text, WHO_SIZE, "worker %u%s (pid %d)", end->slot, end->of_zygote ? "'s zygote" : "",
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
    char text[128], name[WHO_SIZE];
    struct slice words = untold(end);
    va_list args;
    va_start(args, next);
    vsnprintf(text, sizeof(text), next, args);
    va_end(args);
    log_block(LOG_ERROR, words.data, words.size, "%s %s; %s", who(end, name), end->how, text);
}

void worker_end_left(const struct worker_end *end)
{
    char name[WHO_SIZE];
    bool served = end->state == WORKER_READY || end->state == WORKER_DRAINING;
    if (!end->as_asked && served)
        log_block(LOG_WARNING, end->crash_pipe.data, end->crash_pipe.size, "%s %s", who(end, name), end->how);
    else
        log_debug("%s has left", who(end, name));
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
    char name[WHO_SIZE];
    struct slice words = untold(end);
    log_block(LOG_ERROR, words.data, words.size,
              "not reloaded: %s, the first of the new generation, %s; the others go on", who(end, name),
              end->how);
}
