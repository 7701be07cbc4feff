/*
 * The verbs of the control socket: what the master answers. options/control_verbs.h lists the
 * verbs, and control/control_socket.h has the clients.
 *
 * The master calls these, in its loop.
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

/* The state that verbs read, and the actions of the master that verbs ask for. All of it outlives the
 * control. */
struct control_view {
    struct event_base *base;
    const struct options *options;
    struct scoreboard *board;
    const struct child *children; /* one per row of the board */
    unsigned count;
    const struct fleet *fleet;
    const struct upgrade_state *saved; /* for control_open; NULL: there is no upgrade state */
    /*
     * Returns the zygote that imports the application before the row's worker is forked, or NULL.
     * Without this function there are no zygotes.
     */
    const struct zygote_child *(*importer)(void *context, unsigned row);
    /*
     * Returns the number of the reading of the configuration that a reload asked for at this time
     * waits for.
     */
    unsigned (*next_reading)(void *context);
    /* Asks for a reload. 0, or -1 with one sentence in `message`. */
    int (*reload)(void *context, char *message, size_t size);
    /* Asks for one worker more or less (1, -1). Returns likewise. */
    int (*resize)(void *context, int change, char *message, size_t size);
    void *context;
};

/* Listens at options->control_socket. NULL with one sentence in `message` on failure. */
struct control *control_open(const struct control_view *view, char *message, size_t size);

/* The functions below do nothing when `control` is NULL. */
/* Makes the socket file anew, see control_socket_renew. */
void control_renew(struct control *control);
void control_close(struct control *control);
/* In a child: closes the descriptors. */
void control_forget(const struct control *control);
bool control_is_quiet(const struct control *control); /* no client is connected */
void control_save(const struct control *control, struct upgrade_state *saved);
/* The fleet has ended a reload, see struct fleet_actions: answers the clients that wait for it. */
void control_reloaded(struct control *control, const char *failure, struct slice words);
/*
 * The master has read the configuration `reading` times. After control_configured, clients that
 * wait for this reading or an earlier one wait for the next reload to begin. After
 * control_not_configured there is no reload, and they get `failure`.
 */
void control_configured(struct control *control, unsigned reading);
void control_not_configured(struct control *control, unsigned reading, const char *failure);

#endif
