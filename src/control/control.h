/*
 * What the master answers on its control socket: options/control_verbs.h has the verbs, control/control_socket.h the clients.
 */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/scoreboard.h"
#include "base/slice.h"
#include "fleet/fleet.h"
#include "options/options.h"
#include "upgrade/upgrade_state.h"
#include "worker/child.h"

struct control;
struct zygote_child;

/* What the verbs look at, and what they do; all of it outlives the control. */
struct control_view {
    struct event_base *base;
    const struct options *options;
    struct scoreboard *board;
    const struct child *children; /* one per row of the board */
    unsigned count;
    const struct fleet *fleet;
    const struct upgrade_state *saved; /* for control_open; NULL: nothing was left to us */
    /* The zygote that imports the application before the row's worker can be forked, or NULL; none without it. */
    const struct zygote_child *(*importer)(void *context, unsigned row);
    /* How many times the configuration will have been read, when it is that of who asks for a reload now. */
    unsigned (*next_reading)(void *context);
    /* Asks the fleet for a reload. 0, or -1 and why not. */
    int (*reload)(void *context, char *message, size_t size);
    /* For one worker more or less (1, -1). Likewise. */
    int (*resize)(void *context, int change, char *message, size_t size);
    void *context;
};

/* Listens at options->control_socket. NULL and one sentence in `message` when that is not possible. */
struct control *control_open(const struct control_view *view, char *message, size_t size);

/* Each of these is nothing for NULL. */
/* See control_socket_renew. */
void control_renew(struct control *control);
void control_close(struct control *control);
/* In a child: it lets go of the descriptors. */
void control_forget(const struct control *control);
bool control_is_quiet(const struct control *control); /* nobody is being answered */
void control_save(const struct control *control, struct upgrade_state *saved);
/* As struct fleet_actions has it: whoever waits for it is answered. */
void control_reloaded(struct control *control, const char *failure, struct slice words);
/* The configuration has been read so many times. Whoever waits for no later one waits for the next reload to begin from now on; or
 * there will be none of it, and he is answered. */
void control_configured(struct control *control, unsigned reading);
void control_not_configured(struct control *control, unsigned reading, const char *failure);

#endif
