/*
 * The zygotes, as the master sees them: one for each generation that workers are wanted of. It is forked when the first worker is
 * asked of it, and again when it has died and another is wanted.
 *
 * Nothing waits here: a worker's pid comes with a message. Until then its seat has a child that is expected (worker/child.h). What becomes
 * of it instead is told by `failed`.
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

/* A zygote as the master sees it: what it is at, and what it was told. */
struct zygote_child {
    struct zygote_child *next; /* in the zygote pool */
    unsigned generation;
    enum zygote_state state;
    bool leaving;            /* no worker is asked of it any more */
    bool failed;             /* has told why it could not load the application */
    atomic_bool *has_told;   /* the same by memory that it shares, where its zygote channel is closed */
    enum kill_reason killed; /* by us */
    pid_t pid;
    uint64_t forked_ms;
    unsigned number; /* of the seat whose worker it was asked for last */
    unsigned ready;  /* of its workers, so far */
    struct zygote_channel channel;
    struct crash_pipe crash_pipe;
    struct event *news;     /* on the zygote channel */
    struct event *deadline; /* for what it is about */
};

struct zygote_pool_setup {
    struct event_base *base;
    struct child *children; /* one per seat */
    unsigned count;
    /* What the worker of a seat gets; it differs with time in what an order has (preload/zygote_channel.h), and with the generation in its options. */
    void (*describe)(void *context, unsigned number, unsigned generation, struct worker_setup *setup);
    /* The child of that seat is expected no longer: its zygote has ended, or could not fork it. */
    void (*failed)(void *context, unsigned number, const struct worker_end *end);
    /* That child of this process is something else than a worker or a zygote. */
    bool (*is_taken)(void *context, pid_t pid);
    void *context;
};

/* Makes this process the parent of those whose own parents are gone. */
struct zygote_pool *zygote_pool_new(const struct zygote_pool_setup *setup);
/* In all functions NULL is fine, and means that there are none. */
void zygote_pool_free(struct zygote_pool *zygotes);

/* A worker for the seat, whose child is expected from now on. 0, or -1 and errno. */
int zygote_pool_ask(struct zygote_pool *zygotes, unsigned number, unsigned generation);
/* The expected child of the seat, which has been killed, is not wanted any more. If nobody else is waiting for its zygote, that is
 * killed if need be: it may hang. */
void zygote_pool_kill(struct zygote_pool *zygotes, unsigned number, enum kill_reason why);
/* The zygote that imports the application before the seat's child can be forked; NULL: none does. */
const struct zygote_child *zygote_pool_importer(const struct zygote_pool *zygotes, unsigned number);
/* The worker of the seat serves. */
void zygote_pool_ready(struct zygote_pool *zygotes, unsigned number);
/* No more workers of that generation are wanted, or of all but that. */
void zygote_pool_drop(struct zygote_pool *zygotes, unsigned generation);
void zygote_pool_keep(struct zygote_pool *zygotes, unsigned generation);
void zygote_pool_reopen_logs(struct zygote_pool *zygotes);

/* In another child of this process: lets go of the descriptors. */
void zygote_pool_forget(const struct zygote_pool *zygotes);

/* What the zygotes have said so far. Before messages of an unknown worker is thrown away, or a dead one taken for a stranger. */
void zygote_pool_read(struct zygote_pool *zygotes);
/* A process that is in no seat says that it is a worker. If it is a child of this process, and nothing else, its zygote has told of
 * another, or of none: the process is killed, as no message to leave would reach it, and that is logged. */
void zygote_pool_refuse(const struct zygote_pool *zygotes, pid_t pid);
/* Whether that child of this process, which has ended, was a zygote. */
bool zygote_pool_reap(struct zygote_pool *zygotes, pid_t pid, int status);
/* All end, soon. True when none is left. */
bool zygote_pool_end(struct zygote_pool *zygotes);

#endif
