/*
 * The working directory: its name, and the directory that the name leads to.
 *
 * Releases often stand behind a link that is turned at a deploy. So each generation of workers
 * enters the directory by its name again: that of --chdir, or of the directory where the program
 * was started (program_directory). A descriptor holds the directory for later workers of the same
 * generation.
 *
 * The name and the path are the process's own. A directory belongs to its caller.
 */
#ifndef PROC_DIRECTORY_H
#define PROC_DIRECTORY_H

#include <stdbool.h>

struct directory;

/* At the start: enters the directory of --chdir. 0, or -1 and errno. */
int directory_begin(const char *chdir);
/* An absolute name; it may lead elsewhere at any time. */
const char *directory_name(void);
/* The prefix of relative names of files that the service itself makes. That is the name, with
 * one exception: root may not follow it (base/place.h), and it led to a directory of another
 * owner at the start. Then it is the path of that directory. */
const char *directory_base(void);
/* The path, without links, of the directory that this process has entered. */
const char *directory_path(void);

/* The path itself, or below that directory when it is relative. The caller frees it. */
char *directory_find(const char *path);

/* The directory that the name leads to at this moment. With --user, root opens what the user
 * can, or what root itself may follow. NULL and errno. */
struct directory *directory_open(void);
/* The directory of this process. NULL and errno. */
struct directory *directory_here(void);
void directory_close(struct directory *directory); /* NULL is fine */
bool directory_is_same(const struct directory *a, const struct directory *b);

/* 0, or -1 and errno. */
int directory_enter(const struct directory *directory);
/* The same for a worker that starts. A directory that has been removed is not entered when the name
 * leads to another: the worker enters that one, and logs a warning. */
int directory_enter_living(const struct directory *directory);

#endif
