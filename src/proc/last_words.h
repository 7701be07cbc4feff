/*
 * What a worker that crashes says at its end: Python's faulthandler writes the stacks of its threads into this pipe, and the master
 * puts them into the record of its death. Nothing waits: what does not fit into a pipe is lost.
 */
#ifndef PROC_LAST_WORDS_H
#define PROC_LAST_WORDS_H

#include <stddef.h>

/* As much as a pipe holds by default. The worker can enlarge it (F_SETPIPE_SZ), fill it at any time
 * and empty it. So its size is a hint until the bytes are taken. */
enum { LAST_WORDS_MAX = 65536 };

struct last_words {
    int master, worker; /* descriptors, non-blocking, close-on-exec */
};

int last_words_open(struct last_words *words); /* 0, or -1 and errno */
void last_words_close(struct last_words *words);

/* The master's. How many bytes last_words_take would give now, at most LAST_WORDS_MAX. */
size_t last_words_waiting(const struct last_words *words);
/* Takes the bytes that there are into `out`; returns how many. Bytes beyond `room` are thrown away:
 * the next worker in the seat did not write them. A writer that never ends leaves a part all the
 * same. */
size_t last_words_take(const struct last_words *words, char *out, size_t room);

#endif
