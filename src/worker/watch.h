/*
 * Files that are watched for changes, by inotify; without an event loop and without Python. The
 * caller owns the watch. Its functions belong to one thread at a time.
 *
 * Directories are watched, since most editors save by giving a new file the old one's name. A
 * change counts when it is of one of the files. Among `neighbours` it also counts when it is of any
 * Python source, and in directories below that have some. The reason: when app.py is made to import
 * new.py, and that has an error, new.py has never been loaded, and only its possible place is
 * known.
 */
#ifndef WORKER_WATCH_H
#define WORKER_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "options/options.h"

struct watch;

enum watch_change {
    WATCH_NONE,
    WATCH_SAVED,
    WATCH_GONE, /* perhaps only for the moment */
};

struct watch *watch_open(void); /* NULL and errno */
void watch_free(struct watch *watch);

/* The interval at which watch_look_again finds what inotify does not report. */
enum { WATCH_LOOK_MS = 1000 };
/* The time without a change after which saving is over. Each change begins the wait anew. */
unsigned watch_quiet_ms(enum watch_change change);

int watch_fd(const struct watch *watch); /* readable when watch_read is due */

/* Takes a copy of the path, and ignores one that is not absolute. A symbolic link is watched,
 * and so is the file that it leads to. The file need not exist yet. */
void watch_file(struct watch *watch, const char *path, bool neighbours);
/* Watches the file that the application's module would have in that directory. */
void watch_application(struct watch *watch, const char *directory, const struct options *options,
                       bool neighbours);
/* Watches the files that options name: --config and --env-file, which a reload reads again, and
 * --reload-extra-file. */
void watch_options(struct watch *watch, const struct options *options);
/* Logs once what cannot be watched and why, and that more directories are below than are
 * watched. */
void watch_warn(struct watch *watch);

/* True when the file has changed at that time or later. The inode's change time decides: a file
 * that is moved here may have been written long ago. A time in the future, by the clock of a
 * file server, does not count: such a file would have changed for ever. */
bool watch_is_since(const char *path, const struct timespec *since);
/* The same for all that is watched. True, and the path of one that has changed; false, and any
 * path. */
bool watch_find_since(const struct watch *watch, const struct timespec *since, char *path, size_t size);

/* The last change since the last call, and its path, which is cut when it does not fit. */
enum watch_change watch_read(struct watch *watch, char *path, size_t size);
/* The same for what inotify does not report: a directory's name leads to another one, or to one
 * again. */
enum watch_change watch_look_again(struct watch *watch, char *path, size_t size);

#endif
