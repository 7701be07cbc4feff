/*
 * The process's title: what ps(1) shows in the place of the command line.
 *
 * The kernel shows the memory in which it has put the arguments, and beyond it the environment. Both move elsewhere, and a title has
 * the place of both; a longer one is cut.
 */
#ifndef BASE_TITLE_H
#define BASE_TITLE_H

/* First of all in main, before anybody keeps a pointer into argv's words or the environment's. argv and environ then lead to copies,
 * which are never freed. */
void title_init(int argc, char **argv);

/* In each process for itself; a child begins with its parent's. Nothing happens without title_init. */
void title_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
