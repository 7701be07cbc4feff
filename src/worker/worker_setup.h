/*
 * The data that the master hands to a worker, and to a zygote. All of it outlives the worker, which changes
 * none of it.
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
    const struct directory *directory; /* of its generation; NULL: the master's */
    const struct address *addresses;
    size_t address_count;
    pid_t master;
    unsigned slot;
    bool unready;          /* the service will stop soon */
    unsigned generation;   /* 1, and one more for each reload */
    unsigned worker_count; /* at present */
    unsigned slots;        /* the maximum */
    struct scoreboard *board;
    struct scoreboard_row *row;
    struct scoreboard_call *calls; /* one per thread */
    unsigned threads;
    const int *transfer_out; /* connections for each slot are sent there, see net/handover.h */
    const int *transfer_in;  /* and arrive there */
    int channel;             /* the worker's end */
    int crash_pipe;          /* faulthandler writes there in a crash */
    struct access_log *access_log;
    void (*forget)(const void *master); /* closes the master's other descriptors; may be NULL */
    const void *master_state;
};

#endif
