/*
 * A worker process as its parent sees it: forked, told, killed, reaped.
 *
 * The worker channel, the scoreboard row and the crash pipe belong to the seat. They outlive the
 * worker and pass to the next one. All functions belong to the master's thread.
 */
#ifndef WORKER_CHILD_H
#define WORKER_CHILD_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "proc/crash_pipe.h"
#include "proc/worker_channel.h"
#include "proc/worker_end.h"
#include "worker/worker_setup.h"

struct child {
    pid_t pid;         /* 0: there is no process */
    bool expected;     /* a zygote has been asked for it: its pid comes later */
    unsigned messages; /* sent to it meanwhile, a bit for each kind of message */
    struct worker_channel channel;
    struct crash_pipe crash_pipe;
    uint64_t forked_ms;
    uint64_t requests_before; /* of the row's counter, when this worker was forked */
    enum kill_reason killed;  /* by us; the first reason counts */
};

/* True when a worker is in the seat, or expected there. */
static inline bool child_is_there(const struct child *child)
{
    return child->pid != 0 || child->expected;
}

/* Opens and closes what the seat keeps. 0, or -1 and errno. */
int child_open(struct child *child);
void child_close(struct child *child);

/* Forks the worker of children[number]. In the parent: 0, or -1 and errno. The child does not
 * return. It closes what is the master's, the event base and the master's ends of all `count`
 * seats, so that each worker notices when the master is gone. */
int child_fork(struct child *children, unsigned count, unsigned number, struct event_base *base,
               const struct worker_setup *setup);

/* The same in two steps: a zygote is asked for the worker, and later its pid is known. The
 * second step sends the messages of the time between, and kills the worker if it was to be
 * killed. */
void child_expect(struct child *child, const struct worker_setup *setup);
void child_is_forked(struct child *child, const struct worker_setup *setup, pid_t pid);
/* The worker could not be forked: frees the seat. */
void child_is_not_forked(struct child *child, const struct worker_setup *setup);

/* In a child of fork_quietly (proc/fork.h): closes what is the master's (see child_fork), enters
 * its generation's directory and becomes --user. Call it before fork_dies_with: the kernel
 * forgets that when the user changes. 0, or -1 after a log record: the process must not go on. */
int child_leave_master(const struct child *children, unsigned count, struct event_base *base,
                       const struct worker_setup *setup);

/* The number of requests that the worker has answered so far. */
uint64_t child_requests(const struct child *child, const struct scoreboard_row *row);

/* The worker has ended with `status`: empties the seat, describes the end in `text` and returns its
 * cause (see death_cause). `calls`: one per thread. */
enum restart_cause child_reap(struct child *child, struct scoreboard_row *row, struct scoreboard_call *calls,
                              unsigned threads, int status, char *text, size_t size);

/* Sends a message. A worker that does not read its messages any more is left to its deadline. */
void child_tell(struct child *child, enum message_kind kind);
void child_kill(struct child *child, enum kill_reason why);

#endif
