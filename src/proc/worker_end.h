/*
 * How a worker ended, and what is said of it: the sentence that describes the end, its cause, and
 * one log record for each end. Also the calls of the application that run, as the scoreboard has
 * them.
 *
 * Workers write the scoreboard, and may write anything there. What is read is bounded and escaped
 * here. Functions allocate nothing; texts belong to the caller. Any thread, but for the records,
 * which the master's thread writes.
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
    REPLACE_PLANNED, /* the worker can go on: one at a time */
    REPLACE_ASKED,   /* a user has asked for it: soon, as for all that follow */
    REPLACE_STUCK,   /* the worker cannot go on: its calls do not return */
    REPLACE_STARVED, /* the worker cannot accept: the application holds its descriptors */
    REPLACE_STALLED, /* the worker does not move, and would not read a message */
};

struct running_call {
    uint64_t age_ms;
    char request[4 * SCOREBOARD_REQUEST_SIZE]; /* the request line, for a terminal or a log */
};

/* Reads the call that runs there at `now_ns` (clock_ns). False when none does. */
bool running_call_read(const struct scoreboard_call *call, uint64_t now_ns, struct running_call *running);

/* Logs a warning for each call that runs, in a worker that cannot wait for it. */
void running_calls_warn(const struct scoreboard_call *calls, unsigned threads);

/* Why the master has killed a process. */
enum kill_reason {
    KILL_NOT,       /* the master has not killed it */
    KILL_LATE,      /* told to leave, and its time is over */
    KILL_SLOW_BOOT, /* has not loaded the application in time */
    KILL_SLOW_FORK, /* a zygote that has not forked a worker in time */
    KILL_AT_ONCE,   /* the service was told to stop at once */
    KILL_UNWANTED,  /* has nothing to finish, and is not needed any more */
};

struct death {
    int status; /* of waitpid */
    enum kill_reason killed;
    bool no_memory;    /* the kernel has killed for want of memory meanwhile */
    uint64_t age_ms;   /* since the fork */
    uint64_t requests; /* answered by it */
    /* Calls that ran, one for each thread: any of them may have killed the worker. */
    const struct scoreboard_call *calls;
    unsigned threads;
    uint64_t now_ns; /* clock_ns() */
};

/* The size of a description, with as many calls as are named. */
enum { DEATH_MAX = 2048 };

/* True for SIGKILL: from the master, another process, or the kernel. */
bool death_is_sudden(int status);

/* "exited with status 1", "was killed by signal 9 (Killed)". */
void death_describe_status(int status, char *out, size_t size);

/* "was killed by signal 11 (Segmentation fault) after 12.0 s and 340 requests, while it ran "GET
 * /x" (for 0.3 s), "GET /y" (for 0.1 s)". */
void death_describe(const struct death *death, char *out, size_t size);

/* The same for a process that answers no requests: "exited with status 5 after 0.3 s". */
void death_describe_plain(const struct death *death, char *out, size_t size);

/* RESTART_EXITED, RESTART_SIGNAL or RESTART_KILLED. */
enum restart_cause death_cause(const struct death *death);

struct worker_end {
    unsigned slot;
    pid_t pid;                /* 0: the worker was never forked */
    bool of_zygote;           /* the zygote `pid` ended before it forked the worker */
    enum worker_state state;  /* of the worker when it ended */
    bool as_asked;            /* exit status 0 */
    enum restart_cause cause; /* by the exit status alone: EXITED, SIGNAL or KILLED */
    const char *how;          /* of death_describe */
    struct slice crash_pipe;  /* written in a crash, or when the application failed to load; may be empty */
};

/* The first worker ended before it was ready, and nothing was ever served. Returns the exit
 * status of the program. */
int worker_end_of_start(const struct worker_end *end);
/* A worker ended that served, or was to. `next` says what the fleet does about it. */
void worker_end_lost(const struct worker_end *end, const char *next, ...)
    __attribute__((format(printf, 2, 3)));
/* A worker ended that was told to leave. */
void worker_end_left(const struct worker_end *end);
/* The cause of a restart, where the worker was to be replaced because of `why`. */
enum restart_cause worker_end_cause(const struct worker_end *end, enum replacement why);
/* The first worker of a new generation ended. */
void worker_end_of_reload(const struct worker_end *end);

#endif
