/* What the master answers on its control socket: the verbs that do something. control/control_tables.c has those that show something. */
#include "control/control.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "control/control_view.h"

enum { MESSAGE_SIZE = 2048, SETTLE_LOOK_MS = 5, SETTLE_MAX_MS = 1000 };

#define VERB_ROW(name, arguments, help) verb_##name,
static void (*const verbs[])(struct control *control, struct control_client *client,
                             struct slice argument) = {CONTROL_VERBS(VERB_ROW)};
#undef VERB_ROW

/* The reload that is asked for is the one that the next reading of the configuration to begin leads to. */
void verb_reload(struct control *control, struct control_client *client, struct slice argument)
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

/* Those who were told to leave have not read it yet, and would answer the next request in the old way. */
static bool is_settled(const struct control_view *view)
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

static void settle(evutil_socket_t fd, short what, void *arg)
{
    static const struct timeval a_moment = {.tv_usec = SETTLE_LOOK_MS * 1000};
    struct control *control = arg;
    (void)fd, (void)what;
    if (is_settled(&control->view) || clock_ms() - control->reloaded_ms >= SETTLE_MAX_MS)
        succeed_all(control);
    else
        event_add(control->deferring, &a_moment);
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
        settle(-1, 0, control);
        return;
    }
    succeed_all(control); /* of a reload before this one */
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

void verb_worker(struct control *control, struct control_client *client, struct slice argument)
{
    char message[MESSAGE_SIZE];
    int change = slice_eq(argument, SLICE("add")) ? 1 : -1;
    if (control->view.resize(control->view.context, change, message, sizeof(message)) < 0)
        control_fail(client, "%s", message);
    else
        control_succeed(client);
}

void verb_reopen(struct control *control, struct control_client *client, struct slice argument)
{
    (void)control, (void)argument;
    control_succeed(client);
    raise(SIGUSR1);
}

/* The answer leaves before anything ends. */
void verb_stop(struct control *control, struct control_client *client, struct slice argument)
{
    (void)control, (void)argument;
    control_succeed(client);
    raise(SIGTERM);
}

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
    control->deferring = evtimer_new(view->base, settle, control);
    return control;
}

void control_close(struct control *control)
{
    if (control == NULL)
        return;
    stacks_free(control->stacks);
    event_free(control->deferring);
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
