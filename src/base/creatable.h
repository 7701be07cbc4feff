/*
 * Whether a file could be made, without making it: for whoever is to say so before it is done.
 */
#ifndef BASE_CREATABLE_H
#define BASE_CREATABLE_H

/* 0 when the directory of that name's file can be written to by this process, else -1 and errno. Whether the file is there says nothing. */
int creatable_check(const char *path);

#endif
