/*
 * The verbs' functions, and what they share. Private to control*.c.
 */
#ifndef CONTROL_CONTROL_VIEW_H
#define CONTROL_CONTROL_VIEW_H

#include "control/control.h"
#include "control/control_socket.h"
#include "options/control_verbs.h"

struct stacks;

struct control {
    struct control_view view;
    struct control_socket *socket;
    struct stacks *stacks;
    /* The last reload that went well, and when; its clients are answered when those that leave do not accept any more. */
    unsigned reloaded;
    uint64_t reloaded_ms;
    struct event *deferring;
};

#define VERB_FUNCTION(name, arguments, help) \
    void verb_##name(struct control *control, struct control_client *client, struct slice argument);
CONTROL_VERBS(VERB_FUNCTION)
#undef VERB_FUNCTION

static inline struct seat_id seat_id_of_row(unsigned row)
{
    return (struct seat_id){row / FLEET_SEATS, row % FLEET_SEATS};
}

/* See control/control_stacks.c. */
struct stacks *stacks_new(struct control *control);
void stacks_free(struct stacks *stacks);

#endif
