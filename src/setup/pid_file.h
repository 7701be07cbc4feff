/*
 * --pid: the file that tells others which process the master is.
 *
 * The file belongs to the process that has it locked, whatever number it holds: numbers come again, and soon in a container. The lock is
 * fcntl(2)'s, which belongs to the process: it ends with the master, a program that the master executes in its place keeps it, and no
 * child has a share in it.
 */
#ifndef SETUP_PID_FILE_H
#define SETUP_PID_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "upgrade/upgrade_state.h"

struct pid_file;

/* Whether pid_file_write could, unless another process has the file. 0, or -1 with one sentence in `message`. */
int pid_file_check(const char *path, char *message, size_t size);

/* Writes this process's number and a newline, in one step: a reader sees all of it or what was there before. A file that no process has
 * locked is replaced. NULL with one sentence in `message`. */
struct pid_file *pid_file_write(const char *path, char *message, size_t size);

/* Removes the file if it is still this one and holds this process's number. 0, or -1 and errno. */
int pid_file_remove(const struct pid_file *file);
/* The lock ends. NULL is fine. */
void pid_file_free(struct pid_file *file);
/* In a child: closes the descriptor, with which another user could change the number. NULL is fine. */
void pid_file_forget(const struct pid_file *file);

const char *pid_file_path(const struct pid_file *file);
/* The file is still at that path, with the number of this process. */
bool pid_file_is_at(const struct pid_file *file, const char *path);

void pid_file_save(const struct pid_file *file, struct upgrade_state *saved);
/* NULL when none was left. */
struct pid_file *pid_file_load(const struct upgrade_state *saved);

#endif
