/*
 * The memory of a process that is resident, as the kernel tells.
 */
#ifndef BASE_RSS_H
#define BASE_RSS_H

#include <stdint.h>
#include <sys/types.h>

/* In bytes; 0 when there is no such process, or it may not be looked at. */
uint64_t rss_of(pid_t pid);

#endif
