/*
 * The working directory: its name, and where that has led.
 *
 * Releases often stand behind a link that is turned at a deploy. So each generation of workers enters the directory anew by its name: that of
 * --chdir, or else of the directory where the program was started (program_directory). A descriptor holds what the name has led to, for
 * workers of the same generation that come later.
 *
 * The name and the path are the process's own.
 */
#ifndef PROC_DIRECTORY_H
#define PROC_DIRECTORY_H

#include <stdbool.h>

struct directory;

/* At the start: goes where --chdir says. 0, or -1 and errno. */
int directory_begin(const char *chdir);
/* Absolute; it may lead elsewhere at any time. */
const char *directory_name(void);
/* In front of relative names of files that the service itself makes: the name; or, for a root that may not follow it (base/place.h), where
 * it led at the start, if that is a directory of others than root. */
const char *directory_base(void);
/* Of the directory that this process has entered: without a link in it. */
const char *directory_path(void);

/* A path that is relative is one in that directory; to be freed. */
char *directory_find(const char *path);

/* The directory that the name leads to now. With --user, root opens what the user can; or else what root may follow itself. NULL and errno. */
struct directory *directory_open(void);
/* Where this process is. NULL and errno. */
struct directory *directory_here(void);
void directory_close(struct directory *directory); /* NULL is fine */
bool directory_is_same(const struct directory *a, const struct directory *b);

/* 0, or -1 and errno. */
int directory_enter(const struct directory *directory);
/* Likewise, for a new worker: one that has been removed is not entered where the name leads to another, which is told. */
int directory_enter_living(const struct directory *directory);

#endif
