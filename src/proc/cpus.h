/*
 * How many processors this process may really use: --workers auto.
 */
#ifndef PROC_CPUS_H
#define PROC_CPUS_H

#include <stddef.h>

/* At least 1. How it was reached stands in `reason`: "4 CPUs by affinity", "2 by the cgroup's quota of 150 %". */
unsigned cpus_usable(char *reason, size_t size);

/* The quota of a cgroup in hundredths of a CPU from the text of cpu.max ("150000 100000"); 0 when there is none. */
unsigned cpus_parse_quota(const char *cpu_max);

#endif
