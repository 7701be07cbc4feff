/*
 * The status process: serves what the scoreboard says on an address of its own (--status), without Python, and so whatever the
 * application does. The master forks it first, and again when it dies; it ends it last, when the workers have left.
 */
#ifndef MASTER_STATUS_PROCESS_H
#define MASTER_STATUS_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "options/options.h"
#include "setup/service.h"

struct status_process;

/* `let_go` is called in the child: it closes what is the master's alone. All pointers must outlive it. */
struct status_process *status_process_start(const struct options *options, const struct service *service,
                                            struct event_base *base, void (*let_go)(void *context),
                                            void *context);
pid_t status_process_pid(const struct status_process *process); /* 0: it is not there; NULL is fine */
/* NULL is fine. */
bool status_process_is(const struct status_process *process, pid_t pid);
/* The log files have new names. NULL is fine. */
void status_process_reopen(struct status_process *process);
/* Its socket is another: it begins anew. NULL is fine. */
void status_process_restart(struct status_process *process);
/* A child has ended: true when it was this one. */
bool status_process_ended(struct status_process *process, pid_t pid, int status);
/* Kills it, if it is there, and waits for that. NULL is fine. */
void status_process_stop(struct status_process *process);

#endif
