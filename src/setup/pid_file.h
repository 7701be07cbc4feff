/*
 * The PID file (--pid): tells other programs which process the master is.
 *
 * The file belongs to the process that has locked it. Its number proves nothing, because numbers
 * are used again, soon in a container. The lock is that of fcntl(2), which belongs to the process.
 * The lock ends with the master; a program that the master executes in its place keeps it; no child
 * shares it.
 */
#ifndef SETUP_PID_FILE_H
#define SETUP_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "upgrade/upgrade_state.h"

struct pid_file;

/*
 * Checks that pid_file_write could write, unless another process owns the file. 0, or -1 with one
 * sentence in `message`.
 */
int pid_file_check(const char *path, char *message, size_t size);

/*
 * Writes the number of this process and a newline, in one step: a reader sees all of it, or the old
 * file. Replaces a file that no process has locked. NULL with one sentence in `message`.
 */
struct pid_file *pid_file_write(const char *path, char *message, size_t size);

/*
 * Removes the file if it is still this one and holds the number of this process. 0, or -1 and
 * errno.
 */
int pid_file_remove(const struct pid_file *file);
/* Closes the file, which ends the lock. NULL is fine. */
void pid_file_free(struct pid_file *file);
/*
 * In a child: closes the descriptor, because another user could change the number with it. NULL is
 * fine.
 */
void pid_file_forget(const struct pid_file *file);

const char *pid_file_path(const struct pid_file *file);
/* True: the file is still at that path, with the number of this process. */
bool pid_file_is_at(const struct pid_file *file, const char *path);

void pid_file_save(const struct pid_file *file, struct upgrade_state *saved);
/* Returns NULL when the state has no PID file. */
struct pid_file *pid_file_load(const struct upgrade_state *saved);

#endif
