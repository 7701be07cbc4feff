/*
 * What a worker that crashes says at its end: Python's faulthandler writes the stacks of its threads into this pipe, and the master
 * puts them into the record of its death. Nothing waits: what does not fit into a pipe is lost.
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

int crash_pipe_open(struct crash_pipe *words); /* 0, or -1 and errno */
void crash_pipe_close(struct crash_pipe *words);

/* The master's. How many bytes crash_pipe_take would give now, at most CRASH_PIPE_MAX. */
size_t crash_pipe_waiting(const struct crash_pipe *words);
/* Takes the bytes that there are into `out`; returns how many. Bytes beyond `room` are thrown away:
 * the next worker in the seat did not write them. A writer that never ends leaves a part all the
 * same. */
size_t crash_pipe_take(const struct crash_pipe *words, char *out, size_t room);

#endif
