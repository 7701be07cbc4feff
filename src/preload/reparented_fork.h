/*
 * A fork(2) whose child becomes the child of an ancestor that is a subreaper: of the master, when a
 * zygote forks.
 *
 *   zygote ──fork── a process that exits at once ──fork── the new process
 */
#ifndef PRELOAD_REPARENTED_FORK_H
#define PRELOAD_REPARENTED_FORK_H

#include <sys/types.h>

/* In the caller: returns the new process, which is not its child any more, and `start` for
 * reparented_fork_begin; or -1 and errno.
 * 
 * In the new process: returns 0 after reparented_fork_begin. When the caller dies before that,
 * the new process ends instead. As with fork(2) the calling thread comes along. The handlers of
 * pthread_atfork run twice in what becomes the new process. */
pid_t reparented_fork(int *start);
/* Lets the new process begin, and closes `start`. */
void reparented_fork_begin(int start);

#endif
