/*
 * What a worker that crashes says at its end: Python's faulthandler writes the stacks of its threads into this pipe, and the master
 * puts them into the record of its death. Nothing waits: what does not fit into a pipe is lost.
 */
#ifndef PROC_LAST_WORDS_H
#define PROC_LAST_WORDS_H

#include <stddef.h>

/* As much as a pipe holds. */
enum { LAST_WORDS_MAX = 65536 };

struct last_words {
    int master, worker; /* descriptors, non-blocking, close-on-exec */
};

int last_words_open(struct last_words *words); /* 0, or -1 and errno */
void last_words_close(struct last_words *words);

/* The master's: takes what there is. The bytes written to `out`. */
size_t last_words_take(const struct last_words *words, char *out, size_t room);

#endif
