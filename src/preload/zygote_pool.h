/*
 * The zygote pool, in the master: one zygote for each generation of which workers are wanted. The
 * pool forks a zygote when the first worker of its generation is asked for, and again when the
 * zygote has died and another worker is wanted.
 *
 * No function waits: the pid of a worker comes with a message. Until then its seat has a child that
 * is expected (worker/child.h). When the worker cannot come, `failed` is called instead. The pool
 * belongs to the thread of its event base.
 */
#ifndef PRELOAD_ZYGOTE_POOL_H
#define PRELOAD_ZYGOTE_POOL_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "preload/zygote_channel.h"
#include "proc/crash_pipe.h"
#include "proc/worker_end.h"
#include "worker/child.h"

struct zygote_pool;

enum zygote_state {
    ZYGOTE_LOADING, /* imports the application */
    ZYGOTE_IDLE,
    ZYGOTE_FORKING, /* has been asked for a worker */
};

/* A zygote as the master sees it. */
struct zygote_child {
    struct zygote_child *next; /* in the zygote pool */
    unsigned generation;
    enum zygote_state state;
    bool leaving;            /* is not asked for workers any more */
    bool failed;             /* has logged why it could not load the application */
    atomic_bool *has_told;   /* the same in shared memory, where its zygote channel is closed */
    enum kill_reason killed; /* by us */
    pid_t pid;
    uint64_t forked_ms;
    unsigned number; /* of the seat whose worker it was asked for last */
    unsigned ready;  /* of its workers, so far */
    struct zygote_channel channel;
    struct crash_pipe crash_pipe;
    struct event *news;     /* on the zygote channel */
    struct event *deadline; /* for what it does at present */
};

struct zygote_pool_setup {
    struct event_base *base;
    struct child *children; /* one per seat */
    unsigned count;
    /* Fills in the setup of a seat's worker. It differs with time in the fields of struct
     * zygote_order (preload/zygote_channel.h), and with the generation in its options. */
    void (*describe)(void *context, unsigned number, unsigned generation, struct worker_setup *setup);
    /* The child of that seat is not expected any more: its zygote has ended, or could not fork
     * it. */
    void (*failed)(void *context, unsigned number, const struct worker_end *end);
    /* Whether that child of this process is neither a worker nor a zygote, but known. */
    bool (*is_taken)(void *context, pid_t pid);
    void *context;
};

/* Makes this process a subreaper: the parent of processes whose own parents are gone. */
struct zygote_pool *zygote_pool_new(const struct zygote_pool_setup *setup);
/* In all functions NULL is fine, and means that there are no zygotes. */
void zygote_pool_free(struct zygote_pool *zygotes);

/* Asks for a worker for the seat, whose child is expected from then on. 0, or -1 and errno. */
int zygote_pool_ask(struct zygote_pool *zygotes, unsigned number, unsigned generation);
/* The expected child of the seat has been killed, and is not wanted any more. When no other seat
 * waits for its zygote, that is killed if need be: it may hang. */
void zygote_pool_kill(struct zygote_pool *zygotes, unsigned number, enum kill_reason why);
/* The zygote that imports the application before the seat's child can be forked; NULL: none
 * does. */
const struct zygote_child *zygote_pool_importer(const struct zygote_pool *zygotes, unsigned number);
/* The worker of the seat serves. */
void zygote_pool_ready(struct zygote_pool *zygotes, unsigned number);
/* No more workers of that generation are wanted (drop), or of any other one (keep). */
void zygote_pool_drop(struct zygote_pool *zygotes, unsigned generation);
void zygote_pool_keep(struct zygote_pool *zygotes, unsigned generation);
void zygote_pool_reopen_logs(struct zygote_pool *zygotes);

/* In another child of this process: closes the descriptors. */
void zygote_pool_forget(const struct zygote_pool *zygotes);

/* Reads what the zygotes have sent so far. Call it before messages of an unknown worker are thrown
 * away, or an unknown process that has died counts as a stranger. */
void zygote_pool_read(struct zygote_pool *zygotes);
/* A process that is in no seat says that it is a worker. It is killed, after a log record, when
 * it is a child of this process and nothing else is known of it: its zygote has not told the
 * truth, and no message to leave would reach it. */
void zygote_pool_refuse(const struct zygote_pool *zygotes, pid_t pid);
/* That child of this process has ended. True when it was a zygote. */
bool zygote_pool_reap(struct zygote_pool *zygotes, pid_t pid, int status);
/* Ends all zygotes soon. True when none is left. */
bool zygote_pool_end(struct zygote_pool *zygotes);

#endif
