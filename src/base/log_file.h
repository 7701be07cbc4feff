/*
 * A log's destination: a file, or a descriptor that was inherited. One write(2) a record; where
 * that is systemd's journal, each line of it begins with its priority.
 *
 * Logging never blocks: what a full pipe does not take is dropped and counted, and the count is
 * told once there is room, by any process that has the log_file from the same parent, or shares its
 * log_gap. So is the end of a line that was cut. A file that was moved away is reopened by itself within a second, and at
 * log_file_reopen. Thread-safe: records are written whole by O_APPEND (or PIPE_BUF). The process
 * ignores SIGPIPE and SIGXFSZ.
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

/* syslog's */
enum journal_priority {
    PRIORITY_CRITICAL = 2,
    PRIORITY_ERROR = 3,
    PRIORITY_WARNING = 4,
    PRIORITY_INFO = 6,
    PRIORITY_DEBUG = 7,
};

struct log_file;

/* Shared by processes that write to one file: the next record of any of them ends the line and tells the count, also when the
 * process that could not write is gone. Each of them may write anything here. */
struct log_gap {
    _Atomic uint64_t dropped; /* records since one last went through */
    _Atomic uint8_t torn;     /* not 0: the last of them was cut, and its line has no end */
};

/* path "-" is `standard` (a descriptor, which stays open and is never reopened). NULL and errno when the file cannot
 * be opened for appending. Root finds it as base/place.h says, whose place_strerror has the words for its refusals. */
struct log_file *log_file_open(const char *path, int standard);
/* `priority` is for the journal. */
void log_file_write(struct log_file *file, enum journal_priority priority, const char *record, size_t size);
/* Opens the path anew (USR1). On failure the old descriptor stays in use; -1 and errno. */
int log_file_reopen(struct log_file *file);
/* From now on, files that root makes belong to this user, so that a process without root's rights can open them anew. A file that was there
 * before keeps its owner. */
void log_files_belong_to(uid_t user);
/* After a fork, in the parent: opens a pipe or terminal anew, so that parent and child share no
 * description. Where that fails the old one stays in use. */
void log_file_part(struct log_file *file);
/* Where the descriptor is closed, or another file's, by no fault of the log: takes its number back, for the last records of a process.
 * Where that fails they are lost. */
void log_file_restore(struct log_file *file);
/* From now on what is dropped is counted there, and what is not told yet with it; NULL: in memory of the file's own again. `gap` is
 * the caller's, and outlives its use. Before other threads write. */
void log_file_share_gap(struct log_file *file, struct log_gap *gap);
void log_file_close(struct log_file *file); /* NULL is fine */

/* It is the socket that $JOURNAL_STREAM names (systemd.exec(5)). Who has only inherited the variable has another one there. */
bool journal_is(int fd);

/* Each line of the record with the priority before it: none can say another. */
void journal_add(struct text *out, enum journal_priority priority, struct slice record);

#endif
