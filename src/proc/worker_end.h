/*
 * How a worker ended, and what is said of it: the sentence that describes the end, its cause, and one log record for each end.
 * Also the calls of the application that ran meanwhile, as the scoreboard has them. Workers write there, and may write anything:
 * what is read is bounded and escaped here.
 */
#ifndef PROC_WORKER_END_H
#define PROC_WORKER_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/scoreboard.h"
#include "base/slice.h"

/* Why a worker is to be replaced. */
enum replacement {
    REPLACE_NOT,
    REPLACE_PLANNED, /* it can go on: one at a time */
    REPLACE_ASKED,   /* somebody has said so: soon, as all that follow */
    REPLACE_STUCK,   /* it cannot go on: its calls do not return */
    REPLACE_STARVED, /* it cannot accept: the application holds its descriptors */
    REPLACE_STALLED, /* it does not move: it would not hear what it is told */
};

struct running_call {
    uint64_t age_ms;
    char request[4 * SCOREBOARD_REQUEST_SIZE]; /* the request line, for a terminal or a log */
};

/* What runs there at `now_ns` (clock_ns). False when nothing does. */
bool running_call_read(const struct scoreboard_call *call, uint64_t now_ns, struct running_call *running);

/* A warning for each that runs, in a worker that cannot wait for it. */
void running_calls_warn(const struct scoreboard_call *calls, unsigned threads);

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

struct worker_end {
    unsigned slot;
    pid_t pid;                /* 0: it was never forked */
    bool of_zygote;           /* it is its zygote that ended, before it was forked; `pid` is that one's */
    enum worker_state state;  /* what it was doing */
    bool as_asked;            /* exit status 0 */
    enum restart_cause cause; /* by what it did alone: EXITED, SIGNAL or KILLED */
    const char *how;          /* of death_describe */
    struct slice
        crash_pipe; /* what it wrote when it crashed, or could not load the application; may be empty */
};

/* The first worker ended before it was ready: nothing was ever served. The exit status of the program. */
int worker_end_of_start(const struct worker_end *end);
/* One that served, or was to; `next` says what now. */
void worker_end_lost(const struct worker_end *end, const char *next, ...)
    __attribute__((format(printf, 2, 3)));
/* One that was told to leave. */
void worker_end_left(const struct worker_end *end);
/* Why it had to be replaced, when that was wanted for `why`. */
enum restart_cause worker_end_cause(const struct worker_end *end, enum replacement why);
/* The first of a new generation. */
void worker_end_of_reload(const struct worker_end *end);

#endif
