/*
 * The title of the process: what ps(1) shows in place of the command line.
 *
 * The kernel shows the memory of the arguments, and beyond it the environment. Both are copied
 * elsewhere, so that a title can use all of that memory; a longer title is cut. One thread.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/* Call first in main, before other code keeps pointers into argv or environ. Afterwards both lead
 * to copies, which are never freed. */
void title_init(int argc, char **argv);

/* Sets the title of this process; a child begins with its parent's. Does nothing without
 * title_init. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
