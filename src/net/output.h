/*
 * What a client has not taken yet of its answer: in memory up to --response-memory, then in a spool up to
 * --response-spool, last a file that is sent as it is. Sent in that order. What the spool cannot take of a block, since the disk or
 * --spool-total is full, stays in memory behind it, and whoever produces waits until the client has taken it.
 *
 * A connection has one only since its socket was full: the fast path never sees it. It copies what it is given, so that
 * nobody's buffer has to wait for a slow client. The application's thread fills it while the loop drains it: all calls but the
 * first and the last are made under its lock.
 */
#ifndef NET_OUTPUT_H
#define NET_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct output;
struct spool_budget;

struct output_limits {
    size_t memory;  /* bytes */
    uint64_t spool; /* bytes */
    const char *tmp_dir;
    const struct spool_budget *budget; /* NULL: none */
};

struct output *output_new(const struct output_limits *limits); /* limits must outlive it */
void output_free(struct output *output);                       /* NULL is fine */

/* For a thread that waits for room: the output lives until it is released, though the connection lets go of it. */
void output_hold(struct output *output);
void output_release(struct output *output);
/* Under the lock: the connection is taken from threads that wait. They see it under the lock, and touch neither again. */
void output_abandon(struct output *output);
bool output_is_abandoned(const struct output *output);

void output_lock(struct output *output);
void output_unlock(struct output *output);

/* Appends a copy of what stands in the vectors. 0, or the error of a spool that can take no more, when that is new: nothing is lost,
 * and output_is_full. */
int output_append(struct output *output, const struct iovec *vectors, int count);

/* The last part of an answer: `size` bytes of a regular file from `offset`, the descriptor of the caller. Before the lock is given up
 * the caller drains what the socket takes, and calls output_keep_file. */
void output_lend_file(struct output *output, int fd, off_t offset, uint64_t size);
/* What is left of the file waits, with a descriptor of its own; nothing may be appended after it. 0, or -1 and errno: then the
 * caller takes it back, or the connection is broken. */
int output_keep_file(struct output *output);
void output_take_back_file(struct output *output, off_t *offset, uint64_t *left);

/* Sends as much as the socket takes. 0; or -1 and errno when the connection is broken, or EIO when the file ended early.
 * *sent is increased by the bytes taken. */
int output_drain(struct output *output, int socket, uint64_t *sent);

/* There is something that the spool could not take. */
bool output_is_refused(const struct output *output);
bool output_is_empty(const struct output *output);
uint64_t output_left(const struct output *output); /* bytes to be sent */
/* Both limits are reached: whoever produces should wait. */
bool output_is_full(const struct output *output);

#endif
