/*
 * The verb `stacks`: a signal makes each worker, or the zygote that imports for it, write the Python stacks of all its threads into its seat's crash pipe, without
 * the GIL and without its help. What has come is looked at again and again, for a moment.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_view.h"
#include "preload/zygote_child.h"
#include "proc/running_call.h"
#include "py/stack.h"

/* Python writes them in a few milliseconds; a machine may be busy. */
enum { LOOK_MS = 20, PATIENCE_MS = 1000 };

struct seat_stacks {
    pid_t pid; /* who owes an answer; 0: nobody */
    bool is_zygote;
    char *calls;         /* what it ran then: the signal may be their end */
    size_t before, size; /* bytes in the pipe: then, and when it was looked at last */
};

struct stacks {
    struct control *control;
    struct event *timer;
    bool asking; /* somebody waits */
    uint64_t since_ms;
    struct seat_stacks seats[];
};

static void look_later(struct stacks *stacks, unsigned ms)
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

/* The process that is asked in the name of a row: its worker, or the zygote that imports the application for it. */
struct speaker {
    pid_t pid; /* 0: none */
    const struct crash_pipe *words;
    bool is_zygote;
};

static const struct zygote_child *importer_of(const struct control_view *view, unsigned row)
{
    return view->importer != NULL ? view->importer(view->context, row) : NULL;
}

/* Workers may wait for one zygote together: the first of them speaks for it. */
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

/* A line for each; the caller frees it. */
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

/* One that still owes an answer is not asked again: the signals would queue up. */
static void ask(struct seat_stacks *seat, const struct control_view *view, unsigned row)
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

/* It has written, and has stopped writing. Of one that has ended nothing will come. */
static bool has_answered(struct seat_stacks *seat, const struct speaker *speaker)
{
    if (seat->pid == 0 || speaker->pid != seat->pid)
        return true;
    size_t size = crash_pipe_waiting(speaker->words);
    bool quiet = size == seat->size;
    seat->size = size;
    return quiet && size > seat->before;
}

/* What was in the pipe before is not ours to show; and where nothing has come it stays there for whoever it is meant for. */
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
        seat->pid = 0; /* without Python it has ignored the signal */
}

static void answer(struct stacks *stacks)
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

/* What comes when everybody has gone must not be taken for the crash pipe of that worker. False when nobody owes any more. */
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

static void look(evutil_socket_t fd, short what, void *arg)
{
    struct stacks *stacks = arg;
    (void)fd, (void)what;
    if (stacks->asking && !have_all_answered(stacks) && clock_ms() - stacks->since_ms < PATIENCE_MS) {
        look_later(stacks, LOOK_MS);
        return;
    }
    if (stacks->asking)
        answer(stacks);
    stacks->asking = false;
    if (forget_late_answers(stacks))
        look_later(stacks, PATIENCE_MS);
}

/* Who comes while others wait gets what they get. */
void verb_stacks(struct control *control, struct control_client *client, struct slice argument)
{
    struct stacks *stacks = control->stacks;
    (void)argument;
    control_wait(client, CONTROL_STACKS, 0);
    if (stacks->asking)
        return;
    for (unsigned i = 0; i < control->view.count; i++)
        ask(&stacks->seats[i], &control->view, i);
    stacks->asking = true;
    stacks->since_ms = clock_ms();
    look_later(stacks, LOOK_MS);
}

struct stacks *stacks_new(struct control *control)
{
    struct stacks *stacks = xcalloc(1, sizeof(*stacks) + control->view.count * sizeof(stacks->seats[0]));
    stacks->control = control;
    stacks->timer = evtimer_new(control->view.base, look, stacks);
    return stacks;
}

void stacks_free(struct stacks *stacks)
{
    for (unsigned i = 0; i < stacks->control->view.count; i++)
        free(stacks->seats[i].calls);
    event_free(stacks->timer);
    free(stacks);
}
