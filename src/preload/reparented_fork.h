/*
 * A fork(2) whose child becomes the child of an ancestor that is a subreaper: of the master, when a zygote forks.
 *
 *   zygote ──fork── a process that exits at once ──fork── the new one
 */
#ifndef PRELOAD_REPARENTED_FORK_H
#define PRELOAD_REPARENTED_FORK_H

#include <sys/types.h>

/* In the caller: the new process, which is its child no more, and the gate for reparented_fork_begin; or -1 and errno. In the new process 0, and
 * not before reparented_fork_begin: when the caller dies before that, it never returns. Like fork(2) it takes the calling thread
 * along, and pthread_atfork's handlers run, twice in what becomes the new process. */
pid_t reparented_fork(int *gate);
/* Lets it begin. The gate is gone. */
void reparented_fork_begin(int gate);

#endif
