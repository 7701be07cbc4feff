/*
 * --pid: the file that tells others which process the master is.
 */
#ifndef PROC_PID_FILE_H
#define PROC_PID_FILE_H

#include <stddef.h>

/* Whether pid_file_write could, unless another process is running that has it. 0, or -1 with one sentence in `message`. */
int pid_file_check(const char *path, char *message, size_t size);

/* Writes this process's number and a newline, in one step: whoever reads sees all of it or what was there before. A file that
 * holds the number of a process that is gone, or no number, is replaced. 0, or -1 with one sentence in `message`. */
int pid_file_write(const char *path, char *message, size_t size);

/* Removes the file if it still holds this process's number. 0, or -1 and errno. */
int pid_file_remove(const char *path);

#endif
