/*
 * --user and --group: the user that runs the application.
 *
 * A master that is started as root stays root, as gunicorn's and nginx's do. It runs no Python and
 * reads nothing that a client has sent. At a reload or the end it must be able to do what it did at
 * the start: bind port 80, open logs and keys in directories of root's, remove its files. Each
 * process that it forks becomes the user for good, before anything else happens in it.
 */
#ifndef PROC_PRIVILEGES_H
#define PROC_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "options/options.h"

/* Looks up the user and the group, once, before the first fork. 0, or -1 with one sentence in
 * `message`: unknown, or impossible because this process is not root. */
int privileges_resolve(const struct options *options, char *message, size_t size);

/* The owner of files that root makes for workers; -1, which chown(2) takes for "unchanged", when
 * none is named. */
uid_t privileges_user(void);
gid_t privileges_group(void);

/* In a child of the master: becomes the user, with the user's groups and without a way back.
 * Does nothing when no user is named. 0, or -1 with one sentence in `message`: the process must
 * not go on. */
int privileges_drop(char *message, size_t size);

/* In the master: files are opened with the user's rights between the two calls, and nothing else
 * may happen there. Does nothing when no user is named, or the process is not root. 0, or -1 and
 * errno: the process still has root's rights. */
int privileges_begin_as_user(void);
void privileges_end_as_user(void);

/* True when all user ids of the process are the user's, or no user is named. The process must
 * not have been waited for. The application can start a program of root's, which may become the
 * master's child: only root may signal that process. */
bool privileges_are_of(pid_t pid);

/* In the master, once: with --user it keeps those capabilities of root that it uses. Workers have
 * none then anyway. Without --user they are root's own, and the master changes nothing. A program
 * that it executes in its place begins with all of them again. */
void privileges_limit(void);

#endif
