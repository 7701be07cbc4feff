/*
 * The inside of the master, for master.c and its neighbours: master_fleet.c, master_slots.c, master_control.c, master_signals.c, master_save.c.
 */
#ifndef MASTER_MASTER_STATE_H
#define MASTER_MASTER_STATE_H

#include <event2/event.h>

#include "control/control.h"
#include "fleet/fleet.h"
#include "master/graceful_stop.h"
#include "master/master.h"
#include "master/report.h"
#include "master/stalls.h"
#include "master/status_process.h"
#include "master/unserved_slots.h"
#include "preload/zygote_pool.h"
#include "proc/directory.h"
#include "proc/helper_process.h"
#include "setup/service.h"
#include "upgrade/upgrade.h"
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
};

/* A seat's messages arrives here. */
struct seat_messages {
    struct master *master;
    struct event *event;
    struct seat_id seat_id;
};

/* To every worker there is. */
void master_tell_all(struct master *master, enum message_kind kind);
/* For --reload, see app/worker_answers.h: `words` may be empty. */
void master_note_failed_reload(struct master *master, const char *failure, struct slice words);
/* After everything that the fleet was told. */
void master_follow_up(struct master *master);

/* Children have ended. */
void master_reap(struct master *master);
/* Of the options as they are. */
void master_limits(const struct master *master, struct fleet_limits *limits);

/* Of master_fleet.c: with the unserved slots and stalls that look at its workers. */
void master_open_fleet(struct master *master);
/* For struct zygote_pool_setup. */
void master_describe_worker(void *context, unsigned number, unsigned generation, struct worker_setup *setup);
/* A message that makes its loop turn. */
void master_ping_worker(void *context, unsigned number);

/* Of master_options.c: reads the configuration again, then reloads. 0, or -1 and why not, which is logged here. */
int master_reload(struct master *master, char *message, size_t size);
/* The number of the reading that a reload waits for that is asked for now. */
unsigned master_next_reading(const struct master *master);
void master_messages_arrived(evutil_socket_t fd, short what,
                             void *arg); /* of a seat: its struct seat_messages */

/* A child has ended: true when it was the one that read the configuration. */
bool master_configuration_ended(struct master *master, pid_t pid, int status);
/* Nothing is being read, or waits for a reload. */
bool master_configuration_is_over(const struct master *master);
/* For the workers of a generation: valid until that is dropped, or its reload is over. */
const struct options *master_options_of(struct master *master, unsigned generation);
/* What its workers enter; likewise. */
const struct directory *master_directory_of(const struct master *master, unsigned generation);
/* The reload of that generation is over: it serves, or was dropped. */
void master_options_reloaded(struct master *master, unsigned generation, bool good);

/* Of master_slots.c: the seat's number, as the scoreboard has it. */
unsigned master_number_of(struct seat_id seat_id);
/* After service, fleet and unserved slots. 0, or -1 after a log record. */
int master_open_slots(struct master *master);
/* What comes into that worker channel, which is open, is read from now on. */
void master_watch_seat(struct master *master, struct seat_id seat_id);
/* As many more or fewer as the options say. */
void master_change_workers(struct master *master);
/* One worker more or less (1, -1). 0, or -1 and why not, which is logged here. */
int master_resize(struct master *master, int change, char *message, size_t size);

/* Of master_save.c: what is left to the next program (for struct upgrade_setup). */
struct upgrade_state *master_save(void *context);
/* Takes up what was left: slots, seats and who is in them. 0, or -1 after a log record. */
int master_load_slots(struct master *master);
/* Goes on where the other program stopped, with a reload. */
void master_take_over(struct master *master);

/* Of master_control.c: EXIT_STOPPED (0) when all is well, else the exit status, after one log record. */
int master_open_control(struct master *master);

/* Of master_signals.c: from now on signals are obeyed. */
void master_open_signals(struct master *master);
void master_close_signals(struct master *master);
/* In a child. */
void master_forget_signals(const struct master *master);

#endif
