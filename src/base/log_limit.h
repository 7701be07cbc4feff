/*
 * Records that a client, another worker or the application can provoke without limit.
 *
 * All processes of the service together write so many of a subject in an interval; then one record
 * says how many more there were. The counts are in shared memory, so that a worker's end loses
 * none. A worker can write anything there: the counts limit and are printed, and nothing else
 * depends on them.
 */
#ifndef BASE_LOG_LIMIT_H
#define BASE_LOG_LIMIT_H

#include "base/log.h"

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
