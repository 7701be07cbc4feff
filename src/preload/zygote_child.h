/*
 * A zygote process, as its parent sees it: what it is at, and what it is told. preload/zygote_pool.h has which there are.
 */
#ifndef PRELOAD_ZYGOTE_CHILD_H
#define PRELOAD_ZYGOTE_CHILD_H

#include <event2/event.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "preload/zygote_channel.h"
#include "proc/crash_pipe.h"
#include "proc/worker_end.h"

enum zygote_state {
    ZYGOTE_LOADING, /* imports the application */
    ZYGOTE_IDLE,
    ZYGOTE_FORKING, /* has been asked for a worker */
};

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

/* With both ends of all there is, to be forked. NULL and errno. */
struct zygote_child *zygote_child_new(unsigned generation);
/* It has been forked as `pid`; `news` is called when it says something. */
void zygote_child_watch(struct zygote_child *zygote, pid_t pid, struct event_base *base,
                        void (*news)(evutil_socket_t fd, short what, void *arg), void *arg);
/* In another child of the master: lets go of its descriptors. */
void zygote_child_let_go(const struct zygote_child *zygote);
/* Also one that was never forked. NULL is fine. */
void zygote_child_free(struct zygote_child *zygote);

void zygote_child_tell(struct zygote_child *zygote, enum zygote_order_kind kind);
/* When it is idle: a worker. */
void zygote_child_ask(struct zygote_child *zygote, const struct zygote_order *order);
/* Nobody wants the worker any more that it has been asked for: unless it is forked within a moment, the zygote is killed, since it may
 * hang in a hook. */
void zygote_child_hurry(struct zygote_child *zygote);
/* It runs its atexit functions, within a moment, unless it is busy: then it is killed. */
void zygote_child_end(struct zygote_child *zygote);
void zygote_child_kill(struct zygote_child *zygote, enum kill_reason why);

/* The zygote's next news: 1, ZYGOTE_NEWS_NOISE where they were out of turn; 0 when there are no more now.
 * */
int zygote_child_hear(struct zygote_child *zygote, struct zygote_news *news);
/* It has ended. What it has not said by now is not said: whoever waits for it to be heard (preload/reparented_fork.h) knows that it is dead. */
void zygote_child_is_dead(struct zygote_child *zygote);
/* How, in words; and the cause (proc/worker_end.h). */
enum restart_cause zygote_child_describe(const struct zygote_child *zygote, int status, char *text,
                                         size_t size);

#endif
