/*
 * A spool: an unlinked temporary file, for what is too large for memory. It never outlives the process, whatever ends
 * that: O_TMPFILE where the file system has it, else mkostemp and unlink at once.
 *
 * The caller owns the descriptor. All calls return 0, or -1 and errno (ENOSPC for a full disk).
 */
#ifndef BASE_SPOOL_H
#define BASE_SPOOL_H

#include <stddef.h>
#include <sys/types.h>

int spool_open(const char *directory); /* the descriptor, close-on-exec, or -1 and errno */
int spool_write(int fd, off_t offset, const void *data, size_t size); /* all of it, or -1 */

#endif
