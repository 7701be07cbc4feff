/*
 * --user and --group: who runs the application.
 *
 * Started as root, the master stays root, as gunicorn's and nginx's do: it runs no Python and reads nothing that a client has sent,
 * and at a reload or the end it must be able to do what it did at the start (bind port 80, open logs and keys in directories of
 * root's, remove its files). Every process that it forks becomes the user for good, before anything else happens in it.
 */
#ifndef PROC_PRIVILEGES_H
#define PROC_PRIVILEGES_H

#include <stddef.h>
#include <sys/types.h>

#include "options/options.h"

/* Looks up who is named, once, before the first fork. 0, or -1 with one sentence in `message`: unknown, or not possible because
 * this process is not root. */
int privileges_resolve(const struct options *options, char *message, size_t size);

/* Whose the files are to be that root makes for the others; -1, as chown(2) has it for "as it is", when nobody is named. */
uid_t privileges_user(void);
gid_t privileges_group(void);

/* In a child of the master: becomes the user, with the user's groups and without a way back. Nothing happens when nobody is named.
 * 0, or -1 with one sentence in `message`: then the process must not go on. */
int privileges_drop(char *message, size_t size);

/* In the master: from here to the end files are opened with the user's rights, and nothing else is to be done. Nothing happens when nobody is
 * named, or the process is not root. 0, or -1 and errno: then the rights are root's still. */
int privileges_begin_as_user(void);
void privileges_end_as_user(void);

/* Whether all user ids of that process, which must not have been waited for, are the user's. True when no user is named. A child of the
 * application that a program of root's has started may be the master's, and none of the user's: only root may signal it. */
bool privileges_are_of(pid_t pid);

/* In the master, once: with --user it keeps those capabilities of root that it uses. Workers have
 * none then anyway. Without --user they are root's own, and the master changes nothing. A program
 * that it executes in its place begins with all of them again. */
void privileges_limit(void);

#endif
