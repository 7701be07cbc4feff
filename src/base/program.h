/*
 * The file of this program, under the name by which it was started.
 *
 * A name that is a link is left as it is: where the link stands says to which virtual environment it belongs, and where it leads to may
 * be another file by the next upgrade.
 */
#ifndef BASE_PROGRAM_H
#define BASE_PROGRAM_H

/* First of all in main, before directories change. */
void program_remember(void);

/* Absolute; NULL before program_remember. Stays. */
const char *program_path(void);

#endif
