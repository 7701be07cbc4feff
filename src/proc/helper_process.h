/*
 * A helper process: a child of the master that is no worker, does one thing, says something and ends. Nobody waits for it.
 */
#ifndef PROC_HELPER_PROCESS_H
#define PROC_HELPER_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

/* Of what it says; the rest is read, and forgotten. */
enum { HELPER_OUTPUT_MAX = 1 << 20 };

struct helper_process {
    pid_t pid; /* 0: it is not under way */
    bool late; /* it was killed for taking too long */
    struct event *deadline, *says;
    int fd;
    struct text words;
};

void helper_init(struct helper_process *helper, struct event_base *base);
/* Kills it if it is under way: then it ends as any stranger's child does. */
void helper_fini(struct helper_process *helper);

/* Forks it: the child runs `go`, without any signal blocked, which ends the process; `out` is where it speaks. It dies with its parent.
 * After `timeout_ms` it is killed, with all processes that it has started; 0: never. 0, or -1 and errno. */
int helper_start(struct helper_process *helper, uint64_t timeout_ms, void (*go)(void *context, int out),
                 void *context);
/* A child has ended: true when it was this one, whose words are then all there. */
bool helper_ended(struct helper_process *helper, pid_t pid);
/* They are not needed any more; or it is not, and is killed. */
void helper_forget(struct helper_process *helper);

#endif
