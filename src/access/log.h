/*
 * The access log: one line per exchange, in a file or on standard output. The format makes the line
 * (access/format.h).
 *
 * The log is opened before the fork. In a worker it belongs to the thread that runs the loop.
 */
#ifndef ACCESS_LOG_H
#define ACCESS_LOG_H

#include <stddef.h>

struct access_log;
struct exchange;
struct log_gap;

/* `path` "-" is standard output. NULL when the format is wrong or the file cannot be opened:
 * `message` then holds one sentence. */
struct access_log *access_log_open(const char *path, const char *format, char *message, size_t message_size);
void access_log_identify(struct access_log *log, unsigned worker); /* in a worker, with its number */
/* Writes the line of an exchange. A function for struct loop's `answered`: the context is the
 * log. */
void access_log_write(void *context, const struct exchange *exchange);
int access_log_reopen(struct access_log *log); /* 0, or -1 and errno: the old file stays in use */
/* See log_file_share_gap. NULL for the log is fine. */
void access_log_share_gap(struct access_log *log, struct log_gap *gap);
void access_log_free(struct access_log *log); /* NULL is fine */

#endif
