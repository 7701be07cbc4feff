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

/* The options of a generation that is not proved yet, or not everywhere. */
struct generation_options {
    unsigned generation;
    struct options *options; /* NULL: there is none */
    struct directory *directory;
};

struct master {
    pid_t pid;
    struct options *options;          /* of the generation that serves */
    struct directory *directory;      /* likewise */
    struct generation_options newest; /* of the one that is being reloaded */
    struct options *pending;          /* of the next reload; NULL: those that there are */
    struct directory *pending_directory;
    struct helper_process reading; /* of the configuration */
    bool read_again;
    unsigned readings; /* that have ended */
    int more_workers;  /* than there are, or fewer, by the options */
    struct access_log *access_log;
    struct service service; /* addresses and the scoreboard */
    struct event_base *base;
    struct event *due; /* of the fleet */
    struct graceful_stop graceful_stop;
    struct control *control;       /* NULL without --control-socket */
    struct status_process *status; /* NULL without --status */
    struct fleet *fleet;
    unsigned proven;             /* the generation that serves, as the fleet said last */
    struct zygote_pool *zygotes; /* NULL without --preload */
    struct unserved_slots *unserved;
    struct stalls *stalls;
    struct event *tick;             /* for them */
    struct child *children;         /* one per seat, as the scoreboard's rows */
    struct seat_messages *messages; /* likewise */
    unsigned count;
    int *transfer_out,
        *transfer_in; /* one per slot: the ends of the pairs through which workers hand connections over */
    unsigned slots;   /* whose sockets listen */
    struct report *report; /* NULL: nobody wants it */
    struct upgrade *upgrade;
    struct upgrade_state *saved; /* until it is taken up; NULL: nothing was left to us */
    bool empties; /* what has happened is looked at for the last time, before another program takes over */
    bool over;    /* nothing is left to do */
    struct master_signals *signals; /* while it runs */
    int resize_signals;             /* a signalfd of TTIN and TTOU; -1 before and after */
};

/* A seat's messages arrives here. */
struct seat_messages {
    struct master *master;
    struct event *event;
    struct seat_id seat_id;
};

/* After everything that the fleet was told. */
void master_follow_up(struct master *master);

#endif
