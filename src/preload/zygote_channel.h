/*
 * The zygote channel: a SOCK_SEQPACKET pair that the master makes before it forks the zygote. The
 * master sends orders, the zygote sends news. The zygote carries out one order after another.
 */
#ifndef PRELOAD_ZYGOTE_CHANNEL_H
#define PRELOAD_ZYGOTE_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>

enum zygote_order_kind {
    ZYGOTE_ORDER_FORK = 1, /* fork a worker, and answer */
    ZYGOTE_ORDER_MEASURE,  /* log how much memory the workers share */
    ZYGOTE_ORDER_REOPEN,   /* reopen the log files */
    ZYGOTE_ORDER_END,      /* exit */
};

/* From the master. ZYGOTE_ORDER_FORK has the number of the worker's seat, and the part of struct
 * worker_setup that may have changed since the zygote was forked. The descriptors are copies, which
 * the receiver closes. */
struct zygote_order {
    enum zygote_order_kind kind;
    unsigned number;
    unsigned worker_count;
    bool unready;
    int channel, crash_pipe;
};

enum zygote_news_kind {
    ZYGOTE_NEWS_NOISE,      /* not a message of ours; `pid` of a FORKED out of turn, or 0 */
    ZYGOTE_NEWS_LOADED,     /* the application is loaded */
    ZYGOTE_NEWS_FAILED,     /* the application could not be loaded, and the log says so */
    ZYGOTE_NEWS_FORKED,     /* the worker is `pid`, the master's child; it begins when this is sent */
    ZYGOTE_NEWS_NOT_FORKED, /* there is no worker: `error` */
};

/* From the zygote, or from an application that has taken it over. */
struct zygote_news {
    enum zygote_news_kind kind;
    pid_t pid;
    int error;
};

struct zygote_channel {
    int master, zygote; /* descriptors, close-on-exec */
};

int zygote_channel_open(struct zygote_channel *channel); /* 0, or -1 and errno */

/* In the master; the functions never wait. 0, or -1 and errno. */
int zygote_channel_send_order(int fd, const struct zygote_order *order);
/* 1 and the news, which may be anything; 0 when there are none yet; -1 when the zygote is gone. */
int zygote_channel_receive_news(int fd, struct zygote_news *news);

/* In the zygote: waits for an order. 0, or -1: the master is gone. */
int zygote_channel_await_order(int fd, struct zygote_order *order);
int zygote_channel_send_news(int fd, const struct zygote_news *news); /* 0, or -1 and errno: not sent */

#endif
