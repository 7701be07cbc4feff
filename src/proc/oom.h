/*
 * Whether the kernel has killed for want of memory (cgroups(7), oom_kill). It does not say whom: a process that has got a SIGKILL
 * which nobody of ours has sent is taken for it. Of the master's thread.
 */
#ifndef PROC_OOM_H
#define PROC_OOM_H

#include <stdbool.h>

/* What has happened so far is none of those who are forked from now on. */
void oom_begin(void);
/* Since oom_begin; each kill is told once. False also where the kernel does not say. */
bool oom_has_killed(void);

#endif
