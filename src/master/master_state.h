/*
 * The master's state, for the modules that share it: master.c, master/workers.c, master/reload.c.
 */
#ifndef MASTER_MASTER_STATE_H
#define MASTER_MASTER_STATE_H

#include <event2/event.h>

#include "access/log.h"
#include "control/control.h"
#include "fleet/fleet.h"
#include "master/graceful_stop.h"
#include "master/report.h"
#include "master/stalls.h"
#include "master/status_process.h"
#include "master/unserved_slots.h"
#include "options/options.h"
#include "preload/zygote_pool.h"
#include "proc/directory.h"
#include "proc/helper_process.h"
#include "setup/service.h"
#include "upgrade/upgrade.h"
#include "upgrade/upgrade_state.h"
#include "worker/child.h"

struct master_signals;

/* The options of a generation that has not proved itself yet, or does not serve everywhere. */
struct generation_options {
    unsigned generation;
    struct options *options; /* NULL: there is no such generation */
    struct directory *directory;
};

struct master {
    pid_t pid;
    struct options *options;          /* of the generation that serves */
    struct directory *directory;      /* likewise */
    struct generation_options newest; /* of the generation that is being reloaded */
    struct options *pending;          /* of the next reload; NULL: no options wait */
    struct directory *pending_directory;
    struct helper_process reading; /* the helper process that reads the configuration */
    bool read_again;
    unsigned readings; /* readings of the configuration that have ended */
    /* so many more than there are, by the options of a reload; negative: fewer */
    int more_workers;
    struct access_log *access_log;
    struct service service; /* addresses and the scoreboard */
    struct event_base *base;
    struct event *due; /* fires when the fleet has to look again */
    struct graceful_stop graceful_stop;
    struct control *control;       /* NULL without --control-socket */
    struct status_process *status; /* NULL without --status */
    struct fleet *fleet;
    unsigned proven;             /* the generation that serves, as of the last follow-up */
    struct zygote_pool *zygotes; /* NULL without --preload */
    struct unserved_slots *unserved;
    struct stalls *stalls;
    struct event *tick;             /* for unserved slots and stalls */
    struct child *children;         /* one per seat, as the scoreboard's rows */
    struct seat_messages *messages; /* likewise */
    unsigned count;
    int *transfer_out,
        /* one per slot: the ends of the transfer sockets, through which workers hand connections
         * over */
        *transfer_in;
    unsigned slots;        /* slots whose sockets listen */
    struct report *report; /* NULL without a service manager */
    struct upgrade *upgrade;
    struct upgrade_state *saved;    /* until it is taken up; NULL: there is no upgrade state */
    bool empties;                   /* the loop does what waits, before another program takes over */
    bool over;                      /* the loop ends */
    struct master_signals *signals; /* while it runs */
    int resize_signals;             /* a signalfd of TTIN and TTOU; -1 before and after */
};

/* The messages of a seat arrive here. */
struct seat_messages {
    struct master *master;
    struct event *event;
    struct seat_id seat_id;
};

/* Does what follows from an event. The caller has told the fleet of it. */
void master_follow_up(struct master *master);

#endif
