/*
 * The worker slots, as the master sees them: who is in each, and how to put somebody in.
 *
 * A slot outlives its workers: its listening sockets, its mailbox and its scoreboard row pass from one to the next.
 */
#ifndef PROC_SLOTS_H
#define PROC_SLOTS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "proc/backoff.h"
#include "proc/mailbox.h"
#include "proc/worker.h"

struct slot {
    unsigned number;
    pid_t pid; /* 0: nobody */
    struct mailbox mailbox;
    struct event *mail, *retry; /* a message came; the pause before the next worker is over */
    struct backoff backoff;
    uint64_t forked_ms;
    uint64_t requests_before; /* of the row's counter, when this worker was forked */
    bool was_ready;
    bool killed; /* by us */
    void *master;
};

/* Forks the worker of slots[number]. The parent: 0, or -1 and errno. The child does not return: it lets go of what is the
 * master's, the event base and the master's ends of all `count` mailboxes, so that each worker notices when the master is gone. */
int slot_fork(struct slot *slots, unsigned count, unsigned number, struct event_base *base,
              const struct worker_setup *setup);

/* Its worker has ended with `status`: empties the slot and describes the end in `text`. */
void slot_reap(struct slot *slot, struct scoreboard *board, int status, char *text, size_t size);

/* Tells the worker. One that is still importing does not read its mail, and has nothing to finish: told to stop, it is killed. One whose
 * mailbox is full is told by TERM. */
void slot_tell(struct slot *slot, const struct scoreboard_row *row, enum message_kind kind);
void slot_kill(struct slot *slot);

#endif
