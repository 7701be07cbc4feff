/*
 * What the master hands to a worker, and to a zygote. All of it outlives the worker, which changes none of it.
 */
#ifndef WORKER_WORKER_SETUP_H
#define WORKER_WORKER_SETUP_H

#include <stdbool.h>
#include <sys/types.h>

#include "access/log.h"
#include "base/scoreboard.h"
#include "net/address.h"
#include "options/options.h"

struct worker_setup {
    const struct options *options;
    const struct directory *directory; /* of its generation; NULL: where the master is */
    const struct address *addresses;
    size_t address_count;
    pid_t master;
    unsigned slot;
    bool unready;          /* the service will stop soon */
    unsigned generation;   /* 1, and one more for each reload */
    unsigned worker_count; /* at present */
    unsigned slots;        /* that there can be */
    struct scoreboard *board;
    struct scoreboard_row *row;
    struct scoreboard_call *calls; /* one per thread */
    unsigned threads;
    const int *transfer_out; /* where connections for each slot can be sent, see net/handover.h */
    const int *transfer_in;  /* where they arrive */
    int channel;             /* the worker's end */
    int crash_pipe;          /* where faulthandler writes when it crashes */
    struct access_log *access_log;
    void (*forget)(const void *master); /* closes what else is the master's; NULL: nothing */
    const void *master_state;
};

#endif
