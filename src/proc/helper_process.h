/*
 * A helper process: a child of the master that is no worker, does one thing, writes its result and
 * ends. The master does not wait for it; events on its base tell of output and time. The caller
 * owns the structure, in the thread of the base.
 */
#ifndef PROC_HELPER_PROCESS_H
#define PROC_HELPER_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

/* The part of its output that is kept; the rest is read and thrown away. */
enum { HELPER_OUTPUT_MAX = 1 << 20 };

struct helper_process {
    pid_t pid; /* 0: not under way */
    bool late; /* killed for taking too long */
    struct event *deadline, *says;
    int fd;
    struct text words;
};

void helper_init(struct helper_process *helper, struct event_base *base);
/* Kills the process if it is under way: the master then reaps it as an unknown child. */
void helper_fini(struct helper_process *helper);

/* Forks the process. It runs `go` with no signal blocked; `go` ends the process and writes to
 * `out`. It dies with its parent. After `timeout_ms` it is killed, with all processes that it
 * has started; 0: never. 0, or -1 and errno. */
int helper_start(struct helper_process *helper, uint64_t timeout_ms, void (*go)(void *context, int out),
                 void *context);
/* A child has ended: true when it was this one. Its output is complete then. */
bool helper_ended(struct helper_process *helper, pid_t pid);
/* Forgets the output; kills the process when it is under way. */
void helper_forget(struct helper_process *helper);

#endif
