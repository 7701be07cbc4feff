/*
 * The way in which this program was started: its file under the name that was used, its arguments
 * and its directory.
 *
 * A file name that is a symbolic link is kept. The link's own directory tells which virtual
 * environment it belongs to, and its target may be another file after the next upgrade.
 *
 * The strings live as long as the process. Call program_remember before other threads start; the
 * other functions may be called in any thread.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* Call first in main, before the directory changes. Keeps `argv` without copying it. */
void program_remember(char **argv);

/* The name of the directory in which the program was started: $PWD as a shell or a unit sets it, or
 * else the path without links. A link in it may lead elsewhere by now. */
const char *program_directory(void);
/* The directory's present path, or its last one if it was removed. The caller frees it. */
char *program_directory_now(void);

/* An absolute path; NULL before program_remember. */
const char *program_path(void);
char *const *program_arguments(void);
/* The arguments with `option` in front of the others. The caller frees the array. */
char **program_arguments_with(char *option);

/* Executes the file that now has the program's path, in this process, in the directory of the
 * start. The directory is found by its name, so that options with relative paths keep their
 * meaning. Returns only after a failure, with errno. */
void program_execute(char *const *argv);

#endif
