/*
 * The crash pipe of a seat: Python's faulthandler writes the stacks of a crashing worker's threads
 * into it, and the master puts them into the record of the worker's death. No call waits: bytes
 * that do not fit into a pipe are lost.
 */
#ifndef PROC_CRASH_PIPE_H
#define PROC_CRASH_PIPE_H

#include <stddef.h>

/* As much as a pipe holds by default. The worker can enlarge it (F_SETPIPE_SZ), fill it at any time
 * and empty it. So its size is a hint until the bytes are taken. */
enum { CRASH_PIPE_MAX = 65536 };

struct crash_pipe {
    int master, worker; /* descriptors, non-blocking, close-on-exec */
};

int crash_pipe_open(struct crash_pipe *pipe); /* 0, or -1 and errno */
void crash_pipe_close(struct crash_pipe *pipe);

/* In the master: the bytes that crash_pipe_take would give at this moment, at most
 * CRASH_PIPE_MAX. */
size_t crash_pipe_waiting(const struct crash_pipe *pipe);
/* Takes the bytes that there are into `out`; returns how many. Bytes beyond `room` are thrown away:
 * the next worker in the seat did not write them. A writer that never ends leaves a part all the
 * same. */
size_t crash_pipe_take(const struct crash_pipe *pipe, char *out, size_t room);

#endif
