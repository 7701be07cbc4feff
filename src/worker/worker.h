/*
 * A worker: one process with an event loop and an interpreter of its own.
 *
 * It imports the application, reports ready to the master, serves until it is told to stop (or the master is gone), finishes what
 * it has and exits. The master tells it by its worker channel; TERM, INT and QUIT do the same, for those who stop a whole process group.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "access/log.h"
#include "base/scoreboard.h"
#include "net/address.h"
#include "options/options.h"

struct application;

/* What the master hands to a worker; all of it outlives the worker. */
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

/* In the child, right after the fork, with all signals blocked. Returns the exit status. */
int worker_main(const struct worker_setup *setup);
/* Its name, in the log and for ps(1). */
void worker_identify(const struct worker_setup *setup);
/* worker_main from where the application is loaded (worker/boot.h); until it serves the process dies with the master. GIL held. */
int worker_serve(const struct worker_setup *setup, struct application *application);

#endif
