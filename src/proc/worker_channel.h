/*
 * The worker channel of a worker's seat: a SOCK_SEQPACKET pair made by the master before the seat's first worker and kept for the
 * seat's life. The master has one end, the seat's worker the other; each message says which worker (by pid) it is to or from, so
 * that a successor does not take its predecessor's. When the master is gone the worker reads the end of the stream.
 *
 * Master and worker may be of two binaries (upgrade/upgrade.h): where a kind gets another number, UPGRADE_STATE_VERSION is raised.
 */
#ifndef PROC_WORKER_CHANNEL_H
#define PROC_WORKER_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>

enum message_kind {
    MESSAGE_READY = 1, /* worker to master: the application is loaded, connections are accepted */
    MESSAGE_RECYCLE,   /* worker to master: another may serve in my place, when it is convenient */
    MESSAGE_REPLACE,   /* worker to master: another should, soon: I was asked to leave */
    MESSAGE_STUCK,     /* worker to master: likewise: calls of mine do not return */
    MESSAGE_RELOAD,    /* worker to master: a source file has changed */
    MESSAGE_RETIRE,    /* master to worker: another does: finish what you have, then exit */
    MESSAGE_UNSERVED,  /* master to worker: look at the scoreboard for slots where nobody serves */
    MESSAGE_UNREADY,   /* master to worker: the service will stop soon: say so to those who look after it */
    MESSAGE_DRAIN,     /* master to worker: the service stops: likewise, and nobody comes after you */
    MESSAGE_QUIT,      /* exit now */
    MESSAGE_REOPEN,    /* reopen the log files */
    MESSAGE_PING,      /* nothing to do: a worker that is well reads it, and its loop's turn is counted */
};

struct worker_channel {
    int master, worker; /* descriptors, non-blocking, close-on-exec */
};

int worker_channel_open(struct worker_channel *channel); /* 0, or -1 and errno */
void worker_channel_close(struct worker_channel *channel);
/* 0, or -1 and errno: EAGAIN when the other side does not read. */
int worker_channel_send(int fd, enum message_kind kind, pid_t worker);
/* 1 and the message, whose numbers may be any; 0 when there is none now. -1 when the other side is
 * gone, or has sent something of another size, which is taken. */
int worker_channel_receive(int fd, enum message_kind *kind, pid_t *worker);

/* MESSAGE_READY of this process. It ends, after a log record, when that cannot be said: the master would wait for ever. */
void worker_channel_say_ready(int fd);

#endif
