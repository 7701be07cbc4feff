/* The verbs of the control socket. */
#include "config.h"

#include "control/control.h"

#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/spool.h"
#include "control/control_socket.h"
#include "options/control_verbs.h"
#include "preload/zygote_pool.h"
#include "proc/worker_end.h"
#include "py/stack.h"

struct stacks;

struct control {
    struct control_view view;
    struct control_socket *socket;
    struct stacks *stacks;
    /*
     * The number and the time of the last good reload. Its clients get their answers when the
     * workers that leave accept no more.
     */
    unsigned reloaded;
    uint64_t reloaded_ms;
    struct event *leavers_timer;
};

#define VERB_FUNCTION(name, arguments, help) \
    static void verb_##name(struct control *control, struct control_client *client, struct slice argument);
CONTROL_VERBS(VERB_FUNCTION)
#undef VERB_FUNCTION

static inline struct seat_id seat_id_of_row(unsigned row)
{
    return (struct seat_id){row / FLEET_SEATS, row % FLEET_SEATS};
}

/* The verbs that show something. */
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

/* Adds up all rows. The requests of workers that have ended count too. */
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

/* Returns the state of a worker, in a word. */
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

static void verb_status(struct control *control, struct control_client *client, struct slice argument)
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

static void verb_workers(struct control *control, struct control_client *client, struct slice argument)
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

/* Finds the calls that run in all workers. The caller frees the result. */
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

static void verb_requests(struct control *control, struct control_client *client, struct slice argument)
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

/*
 * The verb `stacks`. A signal makes each worker, or the zygote that imports for it, write the
 * Python stacks of all its threads into its seat's crash pipe. Python does that without the GIL.
 * The master looks into the pipes again and again, for a moment.
 */

/* Python writes the stacks in a few milliseconds, but a machine may be busy. */
enum { STACKS_LOOK_MS = 20, STACKS_MAX_MS = 1000 };

struct seat_stacks {
    pid_t pid; /* of the process that owes an answer; 0: no process */
    bool is_zygote;
    char *calls;         /* the calls at the signal, which may end them */
    size_t before, size; /* bytes in the pipe: at the signal, and at the last look */
};

struct stacks {
    struct control *control;
    struct event *timer;
    bool asking; /* a client waits */
    uint64_t since_ms;
    struct seat_stacks seats[];
};

static void stacks_look_later(struct stacks *stacks, unsigned ms)
{
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
    event_add(stacks->timer, &tv);
}

static FILE *open_text(char **text, size_t *size)
{
    FILE *out = open_memstream(text, size);
    if (out == NULL)
        abort();
    return out;
}

/*
 * The process that answers for a row: its worker, or the zygote that imports the application for
 * it.
 */
struct speaker {
    pid_t pid; /* 0: there is no process */
    const struct crash_pipe *words;
    bool is_zygote;
};

static const struct zygote_child *importer_of(const struct control_view *view, unsigned row)
{
    return view->importer != NULL ? view->importer(view->context, row) : NULL;
}

/* Workers may wait for one zygote together: the row of the first of them shows its stacks. */
static bool is_first_of(const struct control_view *view, unsigned row, const struct zygote_child *zygote)
{
    unsigned first = 0;
    while (importer_of(view, first) != zygote)
        first++;
    return first == row;
}

static struct speaker find_speaker(const struct control_view *view, unsigned row)
{
    const struct child *child = &view->children[row];
    const struct zygote_child *zygote = importer_of(view, row);
    if (zygote == NULL)
        return (struct speaker){child->pid, &child->crash_pipe, false};
    return (struct speaker){is_first_of(view, row, zygote) ? zygote->pid : 0, &zygote->crash_pipe, true};
}

/* Returns a line for each call of the worker. The caller frees it. */
static char *describe_calls(const struct control_view *view, unsigned row)
{
    const struct scoreboard_call *calls = scoreboard_calls(view->board, row);
    struct running_call call;
    char *text;
    size_t size;
    FILE *out = open_text(&text, &size);
    for (int64_t i = 0; i < view->options->threads; i++)
        if (running_call_read(&calls[i], clock_ns(), &call))
            fprintf(out, "  thread %d runs \"%s\" for %.1f s\n", (int)i, call.request,
                    (double)call.age_ms / 1000);
    fclose(out);
    return text;
}

/* Asks the process of a row, unless it still owes an answer: the signals would queue up. */
static void seat_ask(struct seat_stacks *seat, const struct control_view *view, unsigned row)
{
    struct speaker speaker = find_speaker(view, row);
    bool owes = seat->pid == speaker.pid;
    seat->pid = speaker.pid;
    if (speaker.pid == 0)
        return;
    seat->is_zygote = speaker.is_zygote;
    seat->calls = describe_calls(view, row);
    if (owes)
        return;
    seat->before = seat->size = crash_pipe_waiting(speaker.words);
    kill(speaker.pid, STACKS_SIGNAL);
}

/* True: the process has written, and has stopped writing; or the process has ended. */
static bool has_answered(struct seat_stacks *seat, const struct speaker *speaker)
{
    if (seat->pid == 0 || speaker->pid != seat->pid)
        return true;
    size_t size = crash_pipe_waiting(speaker->words);
    bool quiet = size == seat->size;
    seat->size = size;
    return quiet && size > seat->before;
}

/*
 * Prints the bytes that came after the signal. Earlier bytes are not part of the answer. When
 * nothing has come, the bytes stay in the pipe for their own reader.
 */
static void print_stacks(FILE *out, struct seat_stacks *seat, const struct speaker *speaker)
{
    static char words[CRASH_PIPE_MAX];
    if (speaker->pid == seat->pid && seat->size <= seat->before) {
        fprintf(out, "  does not answer\n");
        return;
    }
    bool is_gone = speaker->pid != seat->pid;
    seat->pid = 0;
    if (is_gone) {
        fprintf(out, seat->is_zygote ? "  does not import any more\n" : "  has ended\n");
        return;
    }
    /* The worker may have emptied the pipe itself meanwhile. */
    size_t size = crash_pipe_take(speaker->words, words, sizeof(words));
    size_t before = seat->before < size ? seat->before : size;
    fwrite(words + before, 1, size - before, out);
    if (size == sizeof(words))
        fprintf(out, "\n  [...]\n");
}

static void print_worker(FILE *out, const struct control_view *view, unsigned row, struct seat_stacks *seat)
{
    struct seat_id seat_id = seat_id_of_row(row);
    enum seat_state state = fleet_seat(view->fleet, seat_id);
    struct speaker speaker = find_speaker(view, row);
    fprintf(out, "worker %u%s (pid %d, %s)\n%s", seat_id.slot, seat->is_zygote ? "'s zygote" : "",
            (int)seat->pid, seat_state_name(state), seat->calls);
    print_stacks(out, seat, &speaker);
    fprintf(out, "\n");
    free(seat->calls);
    seat->calls = NULL;
    if (state == SEAT_BOOTING)
        seat->pid = 0; /* a worker without Python ignored the signal */
}

static void stacks_answer(struct stacks *stacks)
{
    const struct control_view *view = &stacks->control->view;
    struct control_client *client;
    char *text;
    size_t size;
    FILE *out = open_text(&text, &size);
    for (unsigned i = 0; i < view->count; i++)
        if (stacks->seats[i].pid != 0)
            print_worker(out, view, i, &stacks->seats[i]);
    fclose(out);
    while ((client = control_waiting(stacks->control->socket, CONTROL_STACKS, 0)) != NULL) {
        control_say_lines(client, (struct slice){text, size});
        control_succeed(client);
    }
    free(text);
}

/*
 * Drops answers that come after the clients have gone: nobody may take them for the words of a
 * crash. False when no process owes an answer any more.
 */
static bool forget_late_answers(struct stacks *stacks)
{
    static char words[CRASH_PIPE_MAX];
    bool any = false;
    for (unsigned i = 0; i < stacks->control->view.count; i++) {
        struct seat_stacks *seat = &stacks->seats[i];
        struct speaker speaker = find_speaker(&stacks->control->view, i);
        if (seat->pid == speaker.pid && crash_pipe_waiting(speaker.words) > seat->before) {
            crash_pipe_take(speaker.words, words, sizeof(words));
            seat->pid = 0;
        }
        if (seat->pid != speaker.pid)
            seat->pid = 0;
        any = any || seat->pid != 0;
    }
    return any;
}

static bool have_all_answered(struct stacks *stacks)
{
    const struct control_view *view = &stacks->control->view;
    bool all = true;
    for (unsigned i = 0; i < view->count; i++) {
        struct speaker speaker = find_speaker(view, i);
        all = has_answered(&stacks->seats[i], &speaker) && all;
    }
    return all;
}

static void stacks_look(evutil_socket_t fd, short what, void *arg)
{
    struct stacks *stacks = arg;
    (void)fd, (void)what;
    if (stacks->asking && !have_all_answered(stacks) && clock_ms() - stacks->since_ms < STACKS_MAX_MS) {
        stacks_look_later(stacks, STACKS_LOOK_MS);
        return;
    }
    if (stacks->asking)
        stacks_answer(stacks);
    stacks->asking = false;
    if (forget_late_answers(stacks))
        stacks_look_later(stacks, STACKS_MAX_MS);
}

/* A client that comes while others wait gets the same answer. */
static void verb_stacks(struct control *control, struct control_client *client, struct slice argument)
{
    struct stacks *stacks = control->stacks;
    (void)argument;
    control_wait(client, CONTROL_STACKS, 0);
    if (stacks->asking)
        return;
    for (unsigned i = 0; i < control->view.count; i++)
        seat_ask(&stacks->seats[i], &control->view, i);
    stacks->asking = true;
    stacks->since_ms = clock_ms();
    stacks_look_later(stacks, STACKS_LOOK_MS);
}

static struct stacks *stacks_new(struct control *control)
{
    struct stacks *stacks = xcalloc(1, sizeof(*stacks) + control->view.count * sizeof(stacks->seats[0]));
    stacks->control = control;
    stacks->timer = evtimer_new(control->view.base, stacks_look, stacks);
    return stacks;
}

static void stacks_free(struct stacks *stacks)
{
    for (unsigned i = 0; i < stacks->control->view.count; i++)
        free(stacks->seats[i].calls);
    event_free(stacks->timer);
    free(stacks);
}

/* The verbs that do something. */

enum { MESSAGE_SIZE = 2048, LEAVE_LOOK_MS = 5, LEAVE_MAX_MS = 1000 };

/* The client waits for the reload that the next reading of the configuration leads to. */
static void verb_reload(struct control *control, struct control_client *client, struct slice argument)
{
    const struct control_view *view = &control->view;
    struct fleet_status before;
    char message[MESSAGE_SIZE];
    fleet_describe(view->fleet, &before);
    if (before.phase >= FLEET_DRAINING) {
        control_fail(client, "the service stops");
        return;
    }
    if (argument.size > 0)
        control_wait(client, CONTROL_CONFIGURATION, view->next_reading(view->context));
    if (view->reload(view->context, message, sizeof(message)) < 0)
        control_fail(client, "%s", message);
    else if (argument.size == 0)
        control_succeed(client);
}

/*
 * Workers that were told to leave may not have read the message. They would answer the next request
 * with the old code.
 */
static bool have_leavers_stopped(const struct control_view *view)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->children[i].pid != 0 && fleet_seat(view->fleet, seat_id_of_row(i)) == SEAT_LEAVING &&
            scoreboard_get(view->board->rows[i].state) == WORKER_READY)
            return false;
    return true;
}

static void succeed_all(struct control *control)
{
    struct control_client *client;
    while ((client = control_waiting(control->socket, CONTROL_RELOAD, control->reloaded)) != NULL)
        control_succeed(client);
}

static void await_leavers(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval a_moment = {.tv_usec = LEAVE_LOOK_MS * 1000};
    struct control *control = arg;
    (void)fd, (void)what;
    if (have_leavers_stopped(&control->view) || clock_ms() - control->reloaded_ms >= LEAVE_MAX_MS)
        succeed_all(control);
    else
        event_add(control->leavers_timer, &a_moment);
}

static void fail_all(struct control *control, unsigned number, const char *failure, struct slice words)
{
    struct control_client *client;
    while ((client = control_waiting(control->socket, CONTROL_RELOAD, number)) != NULL) {
        control_say_lines(client, words);
        control_fail(client, "not reloaded: %s", failure);
    }
}

void control_reloaded(struct control *control, const char *failure, struct slice words)
{
    struct fleet_status status;
    if (control == NULL)
        return;
    fleet_describe(control->view.fleet, &status);
    if (failure == NULL) {
        control->reloaded = status.reloads;
        control->reloaded_ms = clock_ms();
        await_leavers(-1, 0, control);
        return;
    }
    succeed_all(control); /* these clients waited for an earlier reload */
    fail_all(control, status.phase >= FLEET_DRAINING ? UINT_MAX : status.reloads, failure, words);
}

void control_configured(struct control *control, unsigned reading)
{
    struct control_client *client;
    struct fleet_status status;
    if (control == NULL)
        return;
    fleet_describe(control->view.fleet, &status);
    while ((client = control_waiting(control->socket, CONTROL_CONFIGURATION, reading)) != NULL)
        control_wait(client, CONTROL_RELOAD, status.reloads + 1);
}

void control_not_configured(struct control *control, unsigned reading, const char *failure)
{
    struct control_client *client;
    if (control == NULL)
        return;
    while ((client = control_waiting(control->socket, CONTROL_CONFIGURATION, reading)) != NULL)
        control_fail(client, "not reloaded: %s", failure);
}

static void verb_worker(struct control *control, struct control_client *client, struct slice argument)
{
    char message[MESSAGE_SIZE];
    int change = slice_eq(argument, SLICE("add")) ? 1 : -1;
    if (control->view.resize(control->view.context, change, message, sizeof(message)) < 0)
        control_fail(client, "%s", message);
    else
        control_succeed(client);
}

static void verb_reopen(struct control *control, struct control_client *client, struct slice argument)
{
    (void)control, (void)argument;
    control_succeed(client);
    raise(SIGUSR1);
}

/* The client gets its answer before anything ends. */
static void verb_stop(struct control *control, struct control_client *client, struct slice argument)
{
    (void)control, (void)argument;
    control_succeed(client);
    raise(SIGTERM);
}

#define VERB_ROW(name, arguments, help) verb_##name,
static void (*const verbs[])(struct control *control, struct control_client *client,
                             struct slice argument) = {CONTROL_VERBS(VERB_ROW)};
#undef VERB_ROW

static void asked(void *context, struct control_client *client, struct slice line)
{
    struct control *control = context;
    struct slice argument;
    char message[MESSAGE_SIZE];
    int verb = control_parse(line, &argument, message, sizeof(message));
    if (verb < 0)
        control_fail(client, "%s", message);
    else
        verbs[verb](control, client, argument);
}

struct control *control_open(const struct control_view *view, char *message, size_t size)
{
    struct control *control = xcalloc(1, sizeof(*control));
    control->view = *view;
    control->socket = control_socket_open(view->base, view->options->control_socket, view->saved, asked,
                                          control, message, size);
    if (control->socket == NULL) {
        free(control);
        return NULL;
    }
    control->stacks = stacks_new(control);
    control->leavers_timer = evtimer_new(view->base, await_leavers, control);
    return control;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    stacks_free(control->stacks);
    event_free(control->leavers_timer);
    control_socket_close(control->socket);
    free(control);
}

void control_renew(struct control *control)
{
    if (control != NULL)
        control_socket_renew(control->socket);
}

bool control_is_quiet(const struct control *control)
{
    return control == NULL || control_socket_is_quiet(control->socket);
}

void control_save(const struct control *control, struct upgrade_state *saved)
{
    if (control != NULL)
        control_socket_save(control->socket, saved);
}

void control_forget(const struct control *control)
{
    if (control != NULL)
        control_socket_forget(control->socket);
}
