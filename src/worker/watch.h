/*
 * Files that are watched, so that a change of one is told. inotify's; no event loop and no Python.
 *
 * What is watched are directories: most editors save by giving a new file the old one's name. A change counts when it is of one of the
 * files; and, among `neighbours`, of any Python source, also in directories below that have some. For that there is a reason: when
 * app.py is made to import new.py, and that has an error, nobody has ever loaded new.py; whoever waits for it to be mended knows
 * only where it may be.
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

/* An interval, for a change that inotify does not report: see watch_look_again. */
enum { WATCH_LOOK_MS = 1000 };
/* The time without a change after which saving is over: each change begins the wait anew. */
unsigned watch_quiet_ms(enum watch_change change);

int watch_fd(const struct watch *watch); /* readable when watch_read is due */

/* Takes a copy of the path; one that is not absolute is left out. A symbolic link is watched, and so is what it leads to. Nothing need be there yet. */
void watch_file(struct watch *watch, const char *path, bool neighbours);
/* The file where the application's module would be in that directory. */
void watch_application(struct watch *watch, const char *directory, const struct options *options,
                       bool neighbours);
/* The files that options name: --config and --env-file, which a reload reads again, and --reload-extra-file. */
void watch_options(struct watch *watch, const struct options *options);
/* Logs, once, what cannot be watched and why; and that there are more directories below than are watched. */
void watch_warn(struct watch *watch);

/* By the time that nobody can set (a file that is moved here may have been written long ago): whether the file has changed then, or later.
 * One from the future, by the clock of a file server, would have changed for ever. */
bool watch_is_since(const char *path, const struct timespec *since);
/* The same of all that is watched: true, and the path of one; false, and any path. */
bool watch_find_since(const struct watch *watch, const struct timespec *since, char *path, size_t size);

/* The last change since the last time, and its path, which is cut when it does not fit. */
enum watch_change watch_read(struct watch *watch, char *path, size_t size);
/* The same of what inotify does not tell: that a directory's name leads to another one now, or to one again. */
enum watch_change watch_look_again(struct watch *watch, char *path, size_t size);

#endif
