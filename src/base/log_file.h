/*
 * A log's destination: a file or an inherited descriptor. A record is one write(2). Where the
 * descriptor is systemd's journal, each line begins with its priority.
 *
 * Logging never blocks. Records that a full pipe does not take are dropped and counted; the count
 * is written when there is room again. So is the end of a line that was cut. Any process with the
 * same log_gap writes both. A file that was moved away is reopened within a second, and by
 * log_file_reopen.
 *
 * Thread-safe: O_APPEND (or PIPE_BUF) keeps records whole. The process must ignore SIGPIPE and
 * SIGXFSZ.
 */
#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/slice.h"
#include "base/text.h"

/* The numbers of syslog(3). */
enum journal_priority {
    PRIORITY_CRITICAL = 2,
    PRIORITY_ERROR = 3,
    PRIORITY_WARNING = 4,
    PRIORITY_INFO = 6,
    PRIORITY_DEBUG = 7,
};

struct log_file;

/* The gap in a file, shared by the processes that write to it. Their next record ends the line and
 * tells the count, even after the end of the process that could not write. Any of these processes
 * may write any value here. */
struct log_gap {
    _Atomic uint64_t dropped; /* records since the last successful write */
    _Atomic uint8_t torn;     /* nonzero: the last record was cut, and its line has no end */
};

/* A path of "-" is `standard`: this descriptor stays open and is never reopened. NULL and errno
 * when the file cannot be opened for appending. Root finds it as base/place.h says; place_strerror
 * has the text for its refusals. */
struct log_file *log_file_open(const char *path, int standard);
/* `priority` is used for the journal only. */
void log_file_write(struct log_file *file, enum journal_priority priority, const char *record, size_t size);
/* Opens the path anew (SIGUSR1). 0, or -1 and errno: the old descriptor stays in use. */
int log_file_reopen(struct log_file *file);
/* Gives the files that root makes afterwards to this user, so that a process without root's rights
 * can reopen them. A file that existed before keeps its owner. */
void log_files_belong_to(uid_t user);
/* Call in the parent after a fork: opens a pipe or terminal anew, so that parent and child share no
 * description. On failure the old description stays in use. */
void log_file_part(struct log_file *file);
/* Opens the file again under the same descriptor number, for the last records of a process. The
 * application may have closed the descriptor, or put another file there. On failure these records
 * are lost. */
void log_file_restore(struct log_file *file);
/* Counts dropped records in `gap`, which takes over the present counts; NULL: in the file's own
 * memory again. The caller owns `gap`, which must outlive its use. Call before other threads
 * write. */
void log_file_share_gap(struct log_file *file, struct log_gap *gap);
void log_file_close(struct log_file *file); /* NULL is fine */

/* Whether the descriptor is the socket that $JOURNAL_STREAM names (systemd.exec(5)). A process that
 * only inherited the variable has another descriptor there. */
bool journal_is(int fd);

/* Adds each line of the record with the priority before it, so that a line cannot claim another
 * one. */
void journal_add(struct text *out, enum journal_priority priority, struct slice record);

#endif
