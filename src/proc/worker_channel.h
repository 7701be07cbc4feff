/*
 * The worker channel of a seat: a SOCK_SEQPACKET pair between the master and the seat's worker.
 *
 * The master makes the pair before the seat's first worker and keeps it for the seat's life. Each
 * message names the worker (by pid) that sent it or is to get it. So a successor does not take the
 * messages of its predecessor. When the master is gone the worker reads the end of the stream.
 *
 * Master and worker may be of two binaries (upgrade/upgrade.h): when a kind gets another number,
 * raise UPGRADE_STATE_VERSION. No function waits. Any thread.
 */
#ifndef PROC_WORKER_CHANNEL_H
#define PROC_WORKER_CHANNEL_H

#include <stdbool.h>
#include <sys/types.h>

enum message_kind {
    MESSAGE_READY = 1, /* worker to master: the application is loaded, connections are accepted */
    MESSAGE_RECYCLE,   /* worker to master: replace this worker when it is convenient */
    MESSAGE_REPLACE,   /* worker to master: replace this worker soon, a signal asked it to leave */
    MESSAGE_STUCK,     /* worker to master: replace this worker soon, its calls do not return */
    MESSAGE_RELOAD,    /* worker to master: a source file has changed */
    MESSAGE_RETIRE,    /* master to worker: a successor serves; finish the requests, then exit */
    MESSAGE_UNSERVED,  /* master to worker: look at the scoreboard for unserved slots */
    MESSAGE_UNREADY,   /* master to worker: the service will stop soon; answer health checks so */
    MESSAGE_DRAIN,     /* master to worker: the service stops; as RETIRE, without a successor */
    MESSAGE_QUIT,      /* master to worker: exit at once */
    MESSAGE_REOPEN,    /* master to worker: reopen the log files */
    MESSAGE_PING,      /* master to worker: shows by its loop's next turn that the worker is well */
};

struct worker_channel {
    int master, worker; /* descriptors, non-blocking, close-on-exec */
};

int worker_channel_open(struct worker_channel *channel); /* 0, or -1 and errno */
void worker_channel_close(struct worker_channel *channel);
/* 0, or -1 and errno: EAGAIN when the other side does not read. */
int worker_channel_send(int fd, enum message_kind kind, pid_t worker);
/* 1 and the message, whose numbers may be any. 0 when there is none yet. -1 when the other side is
 * gone, or has sent something of another size, which is taken. */
int worker_channel_receive(int fd, enum message_kind *kind, pid_t *worker);

/* Sends MESSAGE_READY for this process. Ends the process, after a log record, when the master
 * cannot be told: the master would wait for ever. */
void worker_channel_say_ready(int fd);

#endif
