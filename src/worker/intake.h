/*
 * The intake of a worker: the slots whose clients it takes, from listening sockets and from the
 * transfer sockets of other workers. These are its own slot and the unserved slots. Belongs to the
 * thread that runs the loop.
 */
#ifndef WORKER_INTAKE_H
#define WORKER_INTAKE_H

#include "net/handover.h"
#include "net/listener.h"
#include "worker/worker_setup.h"

struct intake {
    const struct worker_setup *setup;
    struct listeners *listeners;
    struct handover *handover;
    bool paused;
};

void intake_open(struct intake *intake, struct loop *loop, const struct worker_setup *setup);
void intake_free(struct intake *intake);

/* The master has marked or unmarked unserved slots. */
void intake_look(struct intake *intake);
/* Takes no clients until `pause` is false again: the slot becomes an unserved slot. */
void intake_pause(struct intake *intake, bool pause);

#endif
