/*
 * fork(2), for processes of ours.
 */
#ifndef PROC_FORK_H
#define PROC_FORK_H

#include <sys/types.h>

/* As fork(2); in the child all signals are blocked: one that came before it has handlers of its own would end up with its parent's. */
pid_t fork_quietly(void);

/* In the child: when `parent` is gone the kernel kills it, until fork_lives_alone; a change of the user undoes it. Ends the process when
 * the parent is gone already. */
void fork_dies_with(pid_t parent);
void fork_lives_alone(void);

#endif
