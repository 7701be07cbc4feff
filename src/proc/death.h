/*
 * The truth about a worker's end, in one sentence.
 */
#ifndef PROC_DEATH_H
#define PROC_DEATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scoreboard.h"

/* Why the master has killed a process. */
enum kill_reason {
    KILL_NOT,       /* it has not */
    KILL_LATE,      /* it was told to leave, and had its time */
    KILL_SLOW_BOOT, /* it has not loaded the application in time */
    KILL_SLOW_FORK, /* a zygote that has not forked a worker in time */
    KILL_AT_ONCE,   /* the service was told to stop at once: nobody is asked */
    KILL_UNWANTED,  /* it has nothing to finish, and is needed no more */
};

struct death {
    int status; /* of waitpid */
    enum kill_reason killed;
    bool no_memory;    /* the kernel has killed for want of memory meanwhile */
    uint64_t age_ms;   /* since the fork */
    uint64_t requests; /* answered by it */
    const struct scoreboard_call
        *calls; /* its threads': those that ran are named, since nobody knows which has killed it */
    unsigned threads;
    uint64_t now_ns; /* clock_ns() */
};

/* Of a description, with as many calls as are named. */
enum { DEATH_MAX = 2048 };

/* SIGKILL: by the master, by somebody else, or by the kernel. */
bool death_is_sudden(int status);

/* "exited with status 1", "was killed by signal 9 (Killed)". */
void death_describe_status(int status, char *out, size_t size);

/* "was killed by signal 11 (Segmentation fault) after 12.0 s and 340 requests, while it ran "GET /x" (for 0.3 s), "GET /y" (for 0.1 s)". */
void death_describe(const struct death *death, char *out, size_t size);

/* The same of a process that answers no requests: "exited with status 5 after 0.3 s". */
void death_describe_plain(const struct death *death, char *out, size_t size);

/* RESTART_EXITED, RESTART_SIGNAL or RESTART_KILLED. */
enum restart_cause death_cause(const struct death *death);

#endif
