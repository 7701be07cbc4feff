/*
 * How this program was started: its file, under the name that was given, its arguments, and the directory.
 *
 * A name that is a link is left as it is: where the link stands says to which virtual environment it belongs, and where it leads to may
 * be another file by the next upgrade.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* First of all in main, before directories change. The arguments are kept, not copied. */
void program_remember(char **argv);

/* The directory where the program was started, by its name: $PWD, as a shell or a unit says it, or else the path without links. A link in it
 * may lead elsewhere by now. */
const char *program_directory(void);
/* Where that leads, or has led when it leads nowhere now; to be freed. */
char *program_directory_now(void);

/* Absolute; NULL before program_remember. Stays. */
const char *program_path(void);
char *const *program_arguments(void);
/* The same with that option in front of the others; to be freed. */
char **program_arguments_with(char *option);

/* The file as it is by now, in this process, in the directory where it was started then, by its name: so what its options name is found
 * again. Returns when that has failed: errno. */
void program_execute(char *const *argv);

#endif
