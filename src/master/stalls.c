/* Stalls: workers that do not move, or cannot accept, while clients wait. */
#include "master/stalls.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "proc/resources.h"

enum {
    PING_LOOKS = 10,    /* looks without a turn, until the worker is asked to turn */
    STALL_LOOKS = 15,   /* looks without a turn after that, until it is stalled */
    STARVED_LOOKS = 25, /* looks without a descriptor, until the worker is judged */
    COUNT_MAX = 100000, /* no more descriptors are counted */
    FEW = 4,            /* connections are few below this part of the open descriptors */
};

enum stall { STALL_NONE, STALL_STILL, STALL_STARVED };

/* A row as it was at the last look. */
struct look {
    pid_t pid;
    uint64_t progress;
    uint64_t still;   /* looks without a turn */
    uint64_t starved; /* looks without a descriptor */
    bool asked;       /* the worker was sent a message, and has not turned since */
    uint64_t asked_at;
    enum stall stall;
    enum replacement replaced; /* why its successor has been asked for */
};

struct stalls {
    struct scoreboard *board;
    const struct unserved_slots *unserved;
    struct stalls_actions actions;
    struct look looks[]; /* one per row */
};

struct stalls *stalls_new(struct scoreboard *board, const struct unserved_slots *unserved,
                          const struct stalls_actions *actions)
{
    struct stalls *stalls = xcalloc(1, sizeof(*stalls) + board->count * sizeof(stalls->looks[0]));
    stalls->board = board;
    stalls->unserved = unserved;
    stalls->actions = *actions;
    return stalls;
}

void stalls_free(struct stalls *stalls)
{
    free(stalls);
}

static bool somebody_waits(const struct stalls *stalls, unsigned number)
{
    const struct scoreboard_row *row = &stalls->board->rows[number];
    return scoreboard_get(row->connections) > 0 || scoreboard_get(row->ready) > 0 ||
           unserved_slots_wait(stalls->unserved, number / FLEET_SEATS);
}

static const char *describe_state(pid_t pid)
{
    switch (process_stat_read(pid).state) {
    case 'T':
        return "a signal has stopped it (SIGCONT lets it go on)";
    case 't':
        return "a debugger has stopped it";
    case 'D':
        return "it waits for a disk or for swapped memory";
    default:
        return "it gets no time to run, or waits for swapped memory";
    }
}

static unsigned slot_of(unsigned number)
{
    return number / FLEET_SEATS;
}

static void mark(struct stalls *stalls, unsigned number, enum stall stall)
{
    stalls->looks[number].stall = stall;
    scoreboard_set(stalls->board->rows[number].stalled, stall != STALL_NONE);
}

static void begin_stall(struct stalls *stalls, unsigned number)
{
    const struct look *look = &stalls->looks[number];
    mark(stalls, number, STALL_STILL);
    log_error("worker %u (pid %d) has not moved for %.0f s while clients wait: %s", slot_of(number),
              (int)look->pid, (double)look->still * STALLS_LOOK_MS / 1000, describe_state(look->pid));
}

static void end_stall(struct stalls *stalls, unsigned number)
{
    mark(stalls, number, STALL_NONE);
    log_warning("worker %u (pid %d) goes on", slot_of(number), (int)stalls->looks[number].pid);
}

static void ask_to_turn(struct stalls *stalls, unsigned number)
{
    struct look *look = &stalls->looks[number];
    look->asked = true;
    look->asked_at = look->still;
    stalls->actions.ping(stalls->actions.context, number);
}

static void replace(struct stalls *stalls, unsigned number, enum replacement why)
{
    stalls->looks[number].replaced = why;
    stalls->actions.replace(stalls->actions.context, number, why);
}

static void begin_replacement(struct stalls *stalls, unsigned number)
{
    log_error("worker %u (pid %d) has not moved for --timeout and --graceful-timeout: it is replaced",
              slot_of(number), (int)stalls->looks[number].pid);
    replace(stalls, number, REPLACE_STALLED);
}

/* Handles a worker that has not turned at this look. */
static void stands_still(struct stalls *stalls, unsigned number, const struct options *options)
{
    struct look *look = &stalls->looks[number];
    uint64_t limit = (uint64_t)(options->timeout + options->graceful_timeout) / STALLS_LOOK_MS;
    look->still++;
    if (!look->asked && look->still >= PING_LOOKS && somebody_waits(stalls, number))
        ask_to_turn(stalls, number);
    if (look->stall != STALL_STILL && look->asked && look->still >= look->asked_at + STALL_LOOKS)
        begin_stall(stalls, number);
    if (look->stall == STALL_STILL && look->replaced == REPLACE_NOT && options->timeout > 0 &&
        look->still >= limit)
        begin_replacement(stalls, number);
}

static void has_turned(struct stalls *stalls, unsigned number)
{
    struct look *look = &stalls->looks[number];
    if (look->stall == STALL_STILL)
        end_stall(stalls, number);
    look->still = 0;
    look->asked = false;
}

/* Counts the open descriptors of a process, up to COUNT_MAX; 0 when /proc does not show them. */
static unsigned count_descriptors(pid_t pid)
{
    char path[64];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    DIR *directory = opendir(path);
    const struct dirent *entry;
    if (directory == NULL)
        return 0;
    while (count < COUNT_MAX && (entry = readdir(directory)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

/*
 * Judges a worker without descriptors: the application holds them, or has lowered their limit. If
 * neither, our own connections hold them.
 */
static void judge_starved(struct stalls *stalls, unsigned number, const struct options *options)
{
    const struct look *look = &stalls->looks[number];
    unsigned open = count_descriptors(look->pid);
    unsigned connections = scoreboard_get(stalls->board->rows[number].connections);
    struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
    prlimit(look->pid, RLIMIT_NOFILE, NULL, &limit);
    bool lowered = limit.rlim_cur < (rlim_t)options->worker_connections;
    if (open == 0 || (!lowered && connections >= open / FEW))
        return;
    mark(stalls, number, STALL_STARVED);
    log_error("worker %u (pid %d) cannot accept connections: of its %u open descriptors %u are "
              "connections, and its limit (RLIMIT_NOFILE) is %" PRIu64
              ": the application %s; the worker is replaced",
              slot_of(number), (int)look->pid, open, connections, (uint64_t)limit.rlim_cur,
              lowered ? "has lowered the limit" : "holds the others");
    replace(stalls, number, REPLACE_STARVED);
}

static void look_at_descriptors(struct stalls *stalls, unsigned number, const struct options *options)
{
    struct look *look = &stalls->looks[number];
    if (scoreboard_get(stalls->board->rows[number].intake) != INTAKE_NO_DESCRIPTORS) {
        look->starved = 0;
        if (look->stall == STALL_STARVED)
            end_stall(stalls, number);
    } else if (++look->starved % STARVED_LOOKS == 0 && look->replaced == REPLACE_NOT) {
        judge_starved(stalls, number, options);
    }
}

/*
 * Looks at one worker. The fleet is asked again and again, because it replaces no worker that has
 * yet to prove itself.
 */
static void look_at(struct stalls *stalls, unsigned number, const struct options *options)
{
    struct look *look = &stalls->looks[number];
    const struct scoreboard_row *row = &stalls->board->rows[number];
    pid_t pid = stalls->actions.pid(stalls->actions.context, number);
    uint64_t progress = scoreboard_get(row->progress);
    if (pid != look->pid) {
        *look = (struct look){.pid = pid, .progress = progress};
        return;
    }
    if (progress == look->progress)
        stands_still(stalls, number, options);
    else
        has_turned(stalls, number);
    look->progress = progress;
    look_at_descriptors(stalls, number, options);
    if (look->stall != STALL_NONE && look->replaced != REPLACE_NOT)
        replace(stalls, number, look->replaced);
}

void stalls_look(struct stalls *stalls, const struct options *options)
{
    for (unsigned number = 0; number < stalls->board->count; number++)
        if (scoreboard_get(stalls->board->rows[number].state) == WORKER_READY)
            look_at(stalls, number, options);
}
