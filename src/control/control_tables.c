/* The verbs that show something: status, workers, requests. */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/spool_budget.h"
#include "control/control_view.h"
#include "proc/running_call.h"

static const char *const phase_names[] = {
    [FLEET_STARTING] = "starting", [FLEET_SERVING] = "serving", [FLEET_DRAINING] = "draining",
    [FLEET_STOPPING] = "stopping", [FLEET_KILLING] = "killing", [FLEET_OVER] = "over",
};

enum { AGE_SIZE = 32 };

/* 0.3s, 12.0s, 4m05s, 3h07m, 12d3h */
static const char *age(char text[AGE_SIZE], uint64_t ms)
{
    uint64_t seconds = ms / 1000, minutes = seconds / 60, hours = minutes / 60;
    if (minutes == 0)
        snprintf(text, AGE_SIZE, "%.1fs", (double)ms / 1000);
    else if (hours == 0)
        snprintf(text, AGE_SIZE, "%" PRIu64 "m%02" PRIu64 "s", minutes, seconds % 60);
    else if (hours < 24)
        snprintf(text, AGE_SIZE, "%" PRIu64 "h%02" PRIu64 "m", hours, minutes % 60);
    else
        snprintf(text, AGE_SIZE, "%" PRIu64 "d%" PRIu64 "h", hours / 24, hours % 24);
    return text;
}

struct totals {
    unsigned by_state[SEAT_LEAVING + 1];
    unsigned stalled;
    uint64_t connections, calls, requests;
};

/* The requests of workers that are gone count too. */
static void add_up(const struct control_view *view, struct totals *totals)
{
    *totals = (struct totals){0};
    for (unsigned i = 0; i < view->count; i++) {
        const struct scoreboard_row *row = &view->board->rows[i];
        totals->requests += scoreboard_get(row->requests);
        if (!child_is_there(&view->children[i]))
            continue;
        totals->by_state[fleet_seat(view->fleet, seat_id_of_row(i))]++;
        totals->stalled += scoreboard_get(row->stalled) != 0;
        totals->connections += scoreboard_get(row->connections);
        totals->calls += scoreboard_busy(view->board, i);
    }
}

/* What a worker is at, in a word. */
static const char *state_of(const struct control_view *view, unsigned row)
{
    bool stalled = scoreboard_get(view->board->rows[row].stalled) != 0;
    enum seat_state state = fleet_seat(view->fleet, seat_id_of_row(row));
    return stalled && state == SEAT_SERVING ? worker_state_name(WORKER_STALLED) : seat_state_name(state);
}

/* "2 serving, 1 booting" */
static void describe_workers(const struct totals *totals, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int state = SEAT_LEAVING; state > SEAT_EMPTY; state--)
        if (totals->by_state[state] > 0 && used < size)
            used += (size_t)snprintf(text + used, size - used, "%s%u %s", used > 0 ? ", " : "",
                                     totals->by_state[state], seat_state_name((enum seat_state)state));
    if (totals->stalled > 0 && used < size)
        snprintf(text + used, size - used, " (%u stalled)", totals->stalled);
}

void verb_status(struct control *control, struct control_client *client, struct slice argument)
{
    const struct control_view *view = &control->view;
    struct fleet_status fleet;
    struct totals totals;
    char workers[128], uptime[AGE_SIZE];
    (void)argument;
    fleet_describe(view->fleet, &fleet);
    add_up(view, &totals);
    describe_workers(&totals, workers, sizeof(workers));
    control_say(client, "version      %s", VERSION);
    control_say(client, "application  %s", view->options->application);
    control_say(client, "pid          %d", (int)getpid());
    control_say(client, "uptime       %s", age(uptime, clock_ms() - fleet.started_ms));
    control_say(client, "phase        %s%s", phase_names[fleet.phase], fleet.reloading ? ", reloading" : "");
    control_say(client, "generation   %u", fleet.generation);
    control_say(client, "workers      %s", workers);
    control_say(client, "connections  %" PRIu64, totals.connections);
    control_say(client, "calls        %" PRIu64, totals.calls);
    control_say(client, "requests     %" PRIu64, totals.requests);
    control_say(client, "spooled      %" PRIu64, spool_sum(view->board));
    control_say(client, "restarts     %u", fleet.lost);
    control_succeed(client);
}

static void say_worker(const struct control_view *view, struct control_client *client, unsigned i)
{
    const struct child *child = &view->children[i];
    const struct scoreboard_row *row = &view->board->rows[i];
    struct seat_id seat_id = seat_id_of_row(i);
    char text[AGE_SIZE];
    control_say(client, "%4u %7d %10u %-8s %7s %10" PRIu64 " %11" PRIu32 " %5" PRIu32 " %5u", seat_id.slot,
                (int)child->pid, (unsigned)scoreboard_get(row->generation), state_of(view, i),
                age(text, clock_ms() - child->forked_ms), child_requests(child, row),
                scoreboard_get(row->connections), scoreboard_get(row->ready),
                scoreboard_busy(view->board, i));
}

void verb_workers(struct control *control, struct control_client *client, struct slice argument)
{
    const struct control_view *view = &control->view;
    (void)argument;
    control_say(client, "%4s %7s %10s %-8s %7s %10s %11s %5s %5s", "slot", "pid", "generation", "state",
                "age", "requests", "connections", "ready", "calls");
    for (unsigned i = 0; i < view->count; i++)
        if (child_is_there(&view->children[i]))
            say_worker(view, client, i);
    control_succeed(client);
}

struct found_call {
    unsigned row, thread;
    struct running_call call;
};

/* What runs in all workers; the caller frees it. */
static struct found_call *find_calls(const struct control_view *view, size_t *count)
{
    struct found_call *found = NULL, next;
    uint64_t now = clock_ns();
    *count = 0;
    for (next.row = 0; next.row < view->count; next.row++) {
        const struct scoreboard_call *calls = scoreboard_calls(view->board, next.row);
        if (view->children[next.row].pid == 0)
            continue;
        for (next.thread = 0; next.thread < (unsigned)view->options->threads; next.thread++) {
            if (!running_call_read(&calls[next.thread], now, &next.call))
                continue;
            found = xrealloc(found, (*count + 1) * sizeof(*found));
            found[(*count)++] = next;
        }
    }
    return found;
}

static int compare_ages(const void *a, const void *b)
{
    const struct found_call *one = a, *other = b;
    return (one->call.age_ms < other->call.age_ms) - (one->call.age_ms > other->call.age_ms);
}

void verb_requests(struct control *control, struct control_client *client, struct slice argument)
{
    const struct control_view *view = &control->view;
    size_t count;
    struct found_call *found = find_calls(view, &count);
    (void)argument;
    if (count > 0)
        qsort(found, count, sizeof(*found), compare_ages);
    control_say(client, "%4s %6s %7s %7s  %s", "slot", "thread", "pid", "age", "request");
    for (size_t i = 0; i < count; i++) {
        char text[AGE_SIZE];
        control_say(client, "%4u %6u %7d %7s  %s", seat_id_of_row(found[i].row).slot, found[i].thread,
                    (int)view->children[found[i].row].pid, age(text, found[i].call.age_ms),
                    found[i].call.request);
    }
    free(found);
    control_succeed(client);
}
