/*
 * The status process: serves the scoreboard on an address of its own (--status). It runs no Python,
 * so the application cannot disturb it. The master forks it first, and again when it dies. The
 * master ends it last, after the workers have left.
 *
 * The master calls these, in its loop.
 */
#ifndef MASTER_STATUS_PROCESS_H
#define MASTER_STATUS_PROCESS_H

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

#include "options/options.h"
#include "setup/service.h"

struct status_process;

/*
 * Forks the process. `let_go` is called in the child, and closes what belongs to the master. All
 * pointers must outlive the process.
 */
struct status_process *status_process_start(const struct options *options, const struct service *service,
                                            struct event_base *base, void (*let_go)(void *context),
                                            void *context);
/* 0: there is no process; NULL is fine */
pid_t status_process_pid(const struct status_process *process);
/* NULL is fine. */
bool status_process_is(const struct status_process *process, pid_t pid);
/* Makes the process open its log file again. NULL is fine. */
void status_process_reopen(struct status_process *process);
/* Ends the process and forks another, because its socket has changed. NULL is fine. */
void status_process_restart(struct status_process *process);
/* A child has ended. True: the child was the status process. */
bool status_process_ended(struct status_process *process, pid_t pid, int status);
/* Kills the process, if there is one, and waits for its end. NULL is fine. */
void status_process_stop(struct status_process *process);

#endif
