/*
 * The error log: one per process, set up once by main and inherited over fork.
 *
 *   2026-11-22T10:00:00.123+01:00 [pid] [worker 3] error: text
 *
 * (the level coloured on a terminal, unless NO_COLOR is set) or, with log_options.json, one JSON object a line: time, level, pid,
 * process, message.
 * Control characters in the text are escaped (\xNN), so that nothing a client sent can forge a line; a newline is kept
 * only between the lines of log_block, which is how tracebacks are written: one record, one write(2).
 * Where standard error is systemd's journal, each line has the record's priority in front: <6>, <3>, ...
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

/* Until log_open records go to standard error, as text, at level info. 0, or -1 and errno: then nothing changed. */
int log_open(const struct log_options *options);
int log_reopen(void); /* USR1; 0, or -1 and errno, the old file stays in use */

/* For the last records of a process whose descriptors the application has closed: see log_file_restore. */
void log_restore(void);

/* After a fork, in the parent: see log_file_part. */
void log_part(void);

/* See log_file_share_gap; also for what log_open opens later. */
struct log_gap;
void log_share_gap(struct log_gap *gap);

/* "master", "worker 3": what stands in the second brackets. Copied. */
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

/* One record of several lines: the formatted text, then `block` (a traceback) with its newlines kept and its other
 * control characters escaped. `size` bytes; a newline at the end is dropped. */
void log_block(enum log_level level, const char *block, size_t size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What keeps the process from starting, for whoever has started it: on standard error, as it is but for a newline. It need not
 * be one line, nor has there to be a log. */
void log_complain(const char *sentence);

/* Records of level error and above, whatever the log's level, are written to this descriptor too, without time and level: for whoever
 * waits to hear why something failed. It does not block the log, and may take only a part. -1: no more. */
void log_copy_errors_to(int fd);

/*
 * Records that a client, another worker or the application can provoke without limit.
 *
 * All processes of the service together write so many of a subject in an interval; then one record
 * says how many more there were. The counts are in shared memory, so that a worker's end loses
 * none. A worker can write anything there: the counts limit and are printed, and nothing else
 * depends on them.
 */
enum log_subject {
    LOG_ANSWER_SPOOL, /* an answer could not be kept for its client */
    LOG_BODY_SPOOL,   /* nor a request's body */
    LOG_FILE,         /* a file could not be sent */
    LOG_LIBEVENT,
    LOG_PARCEL,         /* a connection from another worker is lost */
    LOG_PARCELS_WAIT,   /* there is no room for them */
    LOG_PROXY_HEADER,   /* a connection does not begin with one of --proxy-protocol */
    LOG_REFUSED_WORKER, /* a process that no zygote has truly told of */
    LOG_SUBJECTS
};

/* Of each subject: records in an interval. */
enum { LOG_LIMIT_RECORDS = 10, LOG_LIMIT_MS = 10000 };

/* Before the processes that are to share the counts are forked; once. */
void log_limit_open(void);

/* As log_write, or counted. The count of an interval follows the first record of the next. */
void log_limited(enum log_subject subject, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Now and then, and at the end of a process: tells the counts of intervals that are over, and with
 * `all` the others too. */
void log_limit_tell(bool all);

#endif
