/*
 * What the master and a zygote tell each other: a SOCK_SEQPACKET pair made by the master before it forks the zygote. The zygote
 * carries out one order after another.
 */
#ifndef PRELOAD_CORD_H
#define PRELOAD_CORD_H

#include <stdbool.h>
#include <sys/types.h>

enum cord_order_kind {
    CORD_FORK = 1, /* a worker; answered */
    CORD_MEASURE,  /* log how much memory the workers share */
    CORD_REOPEN,   /* reopen the log files */
    CORD_END,      /* exit */
};

/* From the master. Of CORD_FORK there is more: the number of the worker's seat, and what the zygote cannot know since it was forked
 * before (see struct worker_setup). The descriptors are copies, and the receiver's. */
struct cord_order {
    enum cord_order_kind kind;
    unsigned number;
    unsigned worker_count;
    bool unready;
    int mailbox, last_words;
};

enum cord_news_kind {
    CORD_NOISE,  /* nothing that a zygote of ours would say; `pid` when it is CORD_FORKED out of turn, or 0 */
    CORD_LOADED, /* the application is */
    CORD_FAILED, /* it could not be, and that is told */
    CORD_FORKED, /* the worker is `pid`, a child of the master's; it begins when this is sent */
    CORD_UNBORN, /* there is none: `error` */
};

/* From the zygote, or from whoever has taken it over. */
struct cord_news {
    enum cord_news_kind kind;
    pid_t pid;
    int error;
};

struct cord {
    int master, zygote; /* descriptors, close-on-exec */
};

int cord_open(struct cord *cord); /* 0, or -1 and errno */

/* The master's, which never waits. 0, or -1 and errno. */
int cord_send_order(int fd, const struct cord_order *order);
/* 1 and the news, which may be anything; 0 when there are none now; -1 when the zygote is gone. */
int cord_receive_news(int fd, struct cord_news *news);

/* The zygote's, which waits for what to do. 0, or -1: the master is gone. */
int cord_await_order(int fd, struct cord_order *order);
int cord_send_news(int fd, const struct cord_news *news); /* 0, or -1 and errno: it is not told */

#endif
