/*
 * What the master and a zygote tell each other: a SOCK_SEQPACKET pair made by the master before it forks the zygote. The zygote
 * carries out one order after another.
 */
#ifndef PRELOAD_ZYGOTE_CHANNEL_H
#define PRELOAD_ZYGOTE_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>

enum zygote_order_kind {
    ZYGOTE_ORDER_FORK = 1, /* a worker; answered */
    ZYGOTE_ORDER_MEASURE,  /* log how much memory the workers share */
    ZYGOTE_ORDER_REOPEN,   /* reopen the log files */
    ZYGOTE_ORDER_END,      /* exit */
};

/* From the master. Of ZYGOTE_ORDER_FORK there is more: the number of the worker's seat, and what the zygote cannot know since it was forked
 * before (see struct worker_setup). The descriptors are copies, and the receiver's. */
struct zygote_order {
    enum zygote_order_kind kind;
    unsigned number;
    unsigned worker_count;
    bool unready;
    int channel, crash_pipe;
};

enum zygote_news_kind {
    ZYGOTE_NEWS_NOISE, /* nothing that a zygote of ours would say; `pid` when it is ZYGOTE_NEWS_FORKED out of turn, or 0 */
    ZYGOTE_NEWS_LOADED,     /* the application is */
    ZYGOTE_NEWS_FAILED,     /* it could not be, and that is told */
    ZYGOTE_NEWS_FORKED,     /* the worker is `pid`, a child of the master's; it begins when this is sent */
    ZYGOTE_NEWS_NOT_FORKED, /* there is none: `error` */
};

/* From the zygote, or from whoever has taken it over. */
struct zygote_news {
    enum zygote_news_kind kind;
    pid_t pid;
    int error;
};

struct zygote_channel {
    int master, zygote; /* descriptors, close-on-exec */
};

int zygote_channel_open(struct zygote_channel *channel); /* 0, or -1 and errno */

/* The master's, which never waits. 0, or -1 and errno. */
int zygote_channel_send_order(int fd, const struct zygote_order *order);
/* 1 and the news, which may be anything; 0 when there are none now; -1 when the zygote is gone. */
int zygote_channel_receive_news(int fd, struct zygote_news *news);

/* The zygote's, which waits for what to do. 0, or -1: the master is gone. */
int zygote_channel_await_order(int fd, struct zygote_order *order);
int zygote_channel_send_news(int fd, const struct zygote_news *news); /* 0, or -1 and errno: it is not told */

#endif
