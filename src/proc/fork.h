/*
 * fork(2) for the processes of this program.
 */
#ifndef PROC_FORK_H
#define PROC_FORK_H

#include <sys/types.h>

/* As fork(2), with all signals blocked in the child. A signal that came before the child has
 * handlers of its own would run the parent's. */
pid_t fork_quietly(void);

/* In the child: the kernel kills it when `parent` is gone, until fork_lives_alone or a change of
 * the user. Ends the process when the parent is gone already. */
void fork_dies_with(pid_t parent);
void fork_lives_alone(void);

#endif
