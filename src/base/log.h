/*
 * The error log: one per process, set up once by main and shared over fork.
 *
 *   2026-11-22T10:00:00.123+01:00 [pid] [worker 3] error: text
 *
 * On a terminal the level is coloured, unless NO_COLOR is set. With log_options.json each line is a
 * JSON object: time, level, pid, process, message.
 *
 * Control characters in the text are escaped (\xNN), so that a client's text cannot forge a line.
 * Only log_block keeps newlines: a traceback is one record and one write(2). Where standard error
 * is systemd's journal, each line begins with the record's priority: <6>, <3>, ...
 *
 * Thread-safe after log_open.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_CRITICAL };

struct log_options {
    const char *path; /* "-" is standard error */
    enum log_level level;
    bool json;
};

/* Before log_open, records go to standard error as text at level info. 0; or -1 and errno, and the
 * log is unchanged. */
int log_open(const struct log_options *options);
int log_reopen(void); /* for SIGUSR1; 0, or -1 and errno: the old file stays in use */

/* For the last records of a process whose descriptors the application has closed. See
 * log_file_restore. */
void log_restore(void);

/* Call in the parent after a fork. See log_file_part. */
void log_part(void);

/* See log_file_share_gap. Applies to files that log_open opens later, too. */
struct log_gap;
void log_share_gap(struct log_gap *gap);

/* Sets the text of the second brackets: "master", "worker 3". Copies it. */
void log_identify(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define log_debug(...)                         \
    do {                                       \
        if (log_enabled(LOG_DEBUG))            \
            log_write(LOG_DEBUG, __VA_ARGS__); \
    } while (0)
#define log_info(...)     log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...)  log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...)    log_write(LOG_ERROR, __VA_ARGS__)
#define log_critical(...) log_write(LOG_CRITICAL, __VA_ARGS__)

/* Writes one record of several lines: the formatted text, then `size` bytes of `block` (a
 * traceback). Newlines of the block are kept, except one at its end. Its other control characters
 * are escaped. */
void log_block(enum log_level level, const char *block, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Tells the user why the process does not start: writes the sentence and a newline to standard
 * error. The sentence may have several lines. Works without a log. */
void log_complain(const char *sentence);

/* Copies records of level error and above to this descriptor, whatever the log's level, without
 * time and level. The reader waits for the reason of a failure. A write does not block and may be
 * partial. -1 ends the copies. */
void log_copy_errors_to(int fd);

/*
 * A limit for records that a client, another worker or the application can provoke without end.
 *
 * All processes of the service together write LOG_LIMIT_RECORDS records of a subject in an
 * interval. Then one record says how many more there were. The counts are in shared memory, so that
 * they survive a worker. A worker can write any number there: the counts only limit and are
 * printed.
 */
enum log_subject {
    LOG_ANSWER_SPOOL, /* an answer could not be kept for its client */
    LOG_BODY_SPOOL,   /* a request's body could not be kept */
    LOG_FILE,         /* a file could not be sent */
    LOG_LIBEVENT,
    LOG_PARCEL,         /* a connection from another worker is lost */
    LOG_PARCELS_WAIT,   /* there is no room for connections from other workers */
    LOG_PROXY_HEADER,   /* a connection does not begin with a header of --proxy-protocol */
    LOG_REFUSED_WORKER, /* a process that no zygote has announced */
    LOG_SUBJECTS
};

/* Records of each subject in an interval of this length. */
enum { LOG_LIMIT_RECORDS = 10, LOG_LIMIT_MS = 10000 };

/* Puts the counts into shared memory; once, before the fork of the processes that share them. */
void log_limit_open(void);

/* Writes a record as log_write does, or counts it. The first record of an interval is followed by
 * the count of the interval before. */
void log_limited(enum log_subject subject, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the counts of intervals that are over, and with `all` the others too. Processes call it
 * from time to time, and at their end with `all`. */
void log_limit_tell(bool all);

#endif
