/*
 * How much memory a process uses, and how much of that others use too.
 */
#ifndef PROC_MEMORY_H
#define PROC_MEMORY_H

#include <stdint.h>
#include <sys/types.h>

struct memory {
    uint64_t resident, shared; /* KiB; `shared` is part of `resident` */
};

/* From the text of /proc/PID/smaps_rollup. 0, or -1 when it is not of that form. */
int memory_parse(const char *text, struct memory *memory);
/* 0, or -1 when the kernel does not say. It takes the kernel milliseconds for each GiB. */
int memory_read(pid_t pid, struct memory *memory);

/* The resident memory of a process in bytes, which costs the kernel little; 0 when the process is gone or may not be looked at. */
uint64_t memory_resident(pid_t pid);

#endif
