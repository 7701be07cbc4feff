/*
 * The processors and the memory that the system lets a process use: by affinity, by its control groups (cgroups(7)), and by what
 * /proc says. Of the master's thread, but for memory_read.
 */
#ifndef PROC_RESOURCES_H
#define PROC_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* At least 1. How it was reached stands in `reason`: "4 CPUs by affinity", "2 by the cgroup's quota of 150 %". */
unsigned cpus_usable(char *reason, size_t size);

/* The quota of a cgroup in hundredths of a CPU from the text of cpu.max ("150000 100000"); 0 when there is none. */
unsigned cpus_parse_quota(const char *cpu_max);

struct memory {
    uint64_t resident, shared; /* KiB; `shared` is part of `resident` */
};

/* From the text of /proc/PID/smaps_rollup. 0, or -1 when it is not of that form. */
int memory_parse(const char *text, struct memory *memory);
/* 0, or -1 when the kernel does not say. It takes the kernel milliseconds for each GiB. */
int memory_read(pid_t pid, struct memory *memory);
/* The resident memory of a process in bytes, which costs the kernel little. 0 when the process is gone
 * or may not be looked at. */
uint64_t memory_resident(pid_t pid);

/* The kernel does not report its victims. A process counts as killed for want of memory when it got a SIGKILL that we did not send
 * and the counter of our cgroup (oom_kill) rose. */
/* What has happened so far is none of those who are forked from now on. */
void oom_begin(void);
/* Since oom_begin; each kill is told once. False also where the kernel does not say. */
bool oom_has_killed(void);

/* A line of /proc/self/cgroup: the directory of that controller's hierarchy in version 1, or of the unified one where it is NULL. 0, or
 * -1: the line is of another hierarchy. */
int cgroup_parse(const char *line, const char *controller, char *directory, size_t size);

#endif
