/*
 * Output that a client has not taken, in the order in which it is sent: in memory up to
 * --response-memory, then in a spool up to --response-spool, and last a file that is sent as it is.
 * When the disk or --spool-total is full, the rest of a block stays in memory behind the spool. The
 * producer then waits until the client has taken it.
 *
 * A connection gets an output when its socket is full for the first time: the fast path has none.
 * The output copies its input, so that no buffer of a caller has to wait for a slow client.
 *
 * The application's thread fills it while the loop drains it. All calls are made under its lock,
 * except output_new, output_free, output_hold and output_release.
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

/* For a thread that waits for room: the output lives until it is released, even when the connection
 * drops it. */
void output_hold(struct output *output);
void output_release(struct output *output);
/* Under the lock: the connection is taken from threads that wait. They see it under the lock, and
 * then use neither. */
void output_abandon(struct output *output);
bool output_is_abandoned(const struct output *output);

void output_lock(struct output *output);
void output_unlock(struct output *output);

/* Appends a copy of the vectors. 0, or the error of a spool that takes no more, when that is new.
 * Nothing is lost then, and output_is_full is true. */
int output_append(struct output *output, const struct iovec *vectors, int count);

/* The last part of an answer: `size` bytes of a regular file from `offset`. The descriptor is
 * the caller's. Before it releases the lock, the caller drains the output and calls
 * output_keep_file. */
void output_lend_file(struct output *output, int fd, off_t offset, uint64_t size);
/* The rest of the file waits with a descriptor of its own. Nothing may be appended after it. 0, or
 * -1 and errno: then the caller takes the file back, or the connection is broken. */
int output_keep_file(struct output *output);
void output_take_back_file(struct output *output, off_t *offset, uint64_t *left);

/* Sends as much as the socket accepts. 0; or -1 and errno when the connection is broken, EIO when
 * the file ended early. Adds the bytes that were sent to *sent. */
int output_drain(struct output *output, int socket, uint64_t *sent);

/* There are bytes that the spool refused. */
bool output_is_refused(const struct output *output);
bool output_is_empty(const struct output *output);
uint64_t output_left(const struct output *output); /* bytes to be sent */
/* Both limits are reached: the producer should wait. */
bool output_is_full(const struct output *output);

#endif
