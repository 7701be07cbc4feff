/*
 * The control groups (cgroups(7)) of this process.
 */
#ifndef PROC_CGROUP_H
#define PROC_CGROUP_H

#include <stddef.h>
#include <stdint.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

/* The directory of our group in the unified hierarchy (version 2). 0, or -1: we are in none. */
int cgroup_directory(char *directory, size_t size);

/* How many processes the kernel has killed for want of memory, in our group and, in version 2, in those below it. -1: it does not say. */
int64_t cgroup_oom_kills(void);

/* A line of /proc/self/cgroup: the directory of that controller's hierarchy in version 1, or of the unified one where it is NULL. 0, or
 * -1: the line is of another hierarchy. */
int cgroup_parse(const char *line, const char *controller, char *directory, size_t size);

#endif
