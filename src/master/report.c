/* The report to the service manager. */
#include "master/report.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "proc/notify.h"

/*
 * Parts of the time after which the manager gives up: SHARE, between two signs of life;
 * SHARE_AGAIN, until the next look when no worker has moved.
 */
enum { SHARE = 2, SHARE_AGAIN = 8 };

/* A row as it was when its worker was last asked. */
struct asked {
    uint32_t pid; /* 0: no worker was asked */
    uint64_t progress;
};

struct report {
    struct scoreboard *board;
    void (*ping)(void *context, unsigned row);
    void *context;
    struct event *watchdog;  /* NULL without a watchdog */
    bool ready, stopping;    /* the manager was told so */
    unsigned serving, slots; /* as the manager was last told */
    struct asked asked[];    /* one per row */
};

/* True: the worker serves. A stalled worker does not, though its loop may turn. */
static bool serves(const struct scoreboard_row *row)
{
    return scoreboard_get(row->state) == WORKER_READY && scoreboard_get(row->stalled) == 0;
}

static bool slot_serves(const struct report *report, unsigned slot)
{
    for (unsigned seat = 0; seat < FLEET_SEATS; seat++)
        if (serves(&report->board->rows[slot * FLEET_SEATS + seat]))
            return true;
    return false;
}

static unsigned count_serving(const struct report *report)
{
    unsigned serving = 0;
    for (unsigned slot = 0; slot < report->board->count / FLEET_SEATS; slot++)
        serving += slot_serves(report, slot);
    return serving;
}

/* True: the worker's loop has turned since the worker was asked. Asks it again then. */
static bool has_moved(struct report *report, unsigned number)
{
    const struct scoreboard_row *row = &report->board->rows[number];
    struct asked *asked = &report->asked[number];
    uint32_t pid = scoreboard_get(row->pid);
    uint64_t progress = scoreboard_get(row->progress);
    if (pid == 0 || (!serves(row) && scoreboard_get(row->state) != WORKER_DRAINING))
        return false;
    bool same = asked->pid == pid;
    if (same && asked->progress == progress)
        return false;
    *asked = (struct asked){pid, progress};
    report->ping(report->context, number);
    return same;
}

static void look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct report *report = arg;
    bool alive = false;
    for (unsigned i = 0; i < report->board->count; i++)
        alive = has_moved(report, i) || alive;
    if (alive)
        notify_alive();
    uint64_t wait = notify_watchdog_ms() / (alive ? SHARE : SHARE_AGAIN);
    struct timeval tv = clock_timeval(wait);
    event_add(report->watchdog, &tv);
}

struct report *report_new(struct event_base *base, struct scoreboard *board,
                          void (*ping)(void *context, unsigned row), void *context)
{
    notify_open();
    if (!notify_is_open())
        return NULL;
    struct report *report = xcalloc(1, sizeof(*report) + board->count * sizeof(report->asked[0]));
    report->board = board;
    report->ping = ping;
    report->context = context;
    if (notify_watchdog_ms() > 0)
        report->watchdog = evtimer_new(base, look, report);
    notify_status("the application is being imported");
    return report;
}

void report_free(struct report *report)
{
    if (report == NULL)
        return;
    if (report->watchdog != NULL)
        event_free(report->watchdog);
    free(report);
}

static void tell_ready(struct report *report, unsigned slots)
{
    report->ready = true;
    notify_ready("%u worker%s ready", slots, slots == 1 ? "" : "s");
    if (report->watchdog != NULL)
        look(-1, 0, report);
}

static void tell_serving(struct report *report, unsigned serving, unsigned slots)
{
    report->serving = serving;
    report->slots = slots;
    if (serving == slots && !report->ready)
        tell_ready(report, slots);
    else if (serving == slots)
        notify_status("%u worker%s ready", slots, slots == 1 ? "" : "s");
    else
        notify_status("%u of %u worker%s ready", serving, slots, slots == 1 ? "" : "s");
}

/* A start that failed is told by its exit status only. */
void report_update(struct report *report, enum fleet_phase phase, unsigned slots)
{
    if (report == NULL || report->stopping || phase == FLEET_OVER)
        return;
    if (phase >= FLEET_DRAINING) {
        report->stopping = true;
        notify_stopping(phase == FLEET_DRAINING ? "stopping: requests in progress are finished" : "stopping");
        return;
    }
    unsigned serving = count_serving(report);
    if (serving != report->serving || (report->ready && slots != report->slots))
        tell_serving(report, serving, slots);
}
