/*
 * The processors and the memory that the system lets a process use: by affinity, by its control
 * groups (cgroups(7)), and by /proc; and the state of a process. The caller owns all texts. The functions for processors and
 * killed processes belong to the master's thread; the memory functions to any.
 */
#ifndef PROC_RESOURCES_H
#define PROC_RESOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The state and the parent of any process, from /proc/PID/stat. */
struct process_stat {
    char state;   /* proc(5): R, S, D, T, t, Z ...; 0: there is no such process */
    pid_t parent; /* 0 likewise */
};
struct process_stat process_stat_read(pid_t pid);

/* The number of processors, at least 1 (--workers auto). `reason` says how it was reached: "4
 * CPUs by affinity", "2 of 4 CPUs by the cgroup's quota of 150 %". */
unsigned cpus_usable(char *reason, size_t size);

/* The quota of a cgroup in hundredths of a CPU, from the text of cpu.max ("150000 100000"). 0 when
 * there is none. */
unsigned cpus_parse_quota(const char *cpu_max);

struct memory {
    uint64_t resident, shared; /* KiB; `shared` is part of `resident` */
};

/* From the text of /proc/PID/smaps_rollup. 0, or -1 when the text is not of that form. */
int memory_parse(const char *text, struct memory *memory);
/* 0, or -1 when the kernel does not say. The call takes milliseconds for each GiB. */
int memory_read(pid_t pid, struct memory *memory);
/* The resident memory of a process in bytes, which costs the kernel little. 0 when the process
 * is gone or may not be looked at. */
uint64_t memory_resident(pid_t pid);

/* The kernel does not report OOM victims. A SIGKILL that we did not send counts as OOM when our
 * cgroup's oom_kill counter rose.
 *
 * Notes the counter: earlier kills do not count for processes that are forked from then on. */
void oom_begin(void);
/* True when the counter rose since oom_begin; each kill is reported once. False also where the
 * kernel does not say. */
bool oom_has_killed(void);

/* The directory that a line of /proc/self/cgroup names: of that controller's hierarchy in
 * version 1, or of the unified one when `controller` is NULL. 0, or -1: the line is of another
 * hierarchy. */
int cgroup_parse(const char *line, const char *controller, char *directory, size_t size);

#endif
