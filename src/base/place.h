/*
 * A place: the directory and the name that a path leads to, for files that root opens, creates,
 * renames or removes for the service. All operations use the directory's descriptor and the name.
 *
 * Root looks for the directory component by component. It follows a symbolic link only where only
 * root could have placed it: root owns the link and each directory down to it, and other users
 * cannot write there. In a sticky directory such as /tmp, other users cannot rename root's files.
 * In any other directory that they can write to, they choose what each name leads to: from there on
 * root follows no link. A user other than root has only its own rights to lose, and follows links
 * as the kernel does.
 *
 * Calls return 0 or a descriptor, or -1 and errno. A struct place belongs to its caller; any
 * thread.
 */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct place {
    int directory; /* O_PATH: for *at() calls; AT_FDCWD or a descriptor, which is close-on-exec */
    char *name;    /* the file's name, without a slash */
    bool exposed;  /* the process is root's, and other users may choose which directory this is */
};

/* Does not follow the last component: for files that are replaced or removed. 0, or -1 and
 * errno: ELOOP for a link that is not followed. place_close is allowed afterwards, even after a
 * failure. */
int place_find(struct place *place, const char *path);
/* Follows the last component too, if it is a link that may be followed: for files that are
 * opened. */
int place_follow(struct place *place, const char *path);
void place_close(struct place *place);

/* Opens the file with the flags of openat(2). Does not follow a link, and does not wait for a FIFO.
 * Refuses a file with several names (hard links) with EMLINK where other users can create such
 * names. The descriptor is close-on-exec; or -1 and errno. */
int place_open(const struct place *place, int flags);
/* Opens the file as place_open does, or creates it. *made: this call created it. Only such a file
 * may be given to another user. */
int place_open_or_make(const struct place *place, int flags, mode_t mode, bool *made);
/* Opens a file for reading by its path, with place_follow and place_open. */
int place_open_path(const char *path, int flags);

/* Whether a file that was just created may be given to another user. False in a directory of root's
 * that other users could have moved to this path by a rename. */
bool place_may_give(const struct place *place);

/* The process is root's, and other users own the directory or may choose which one it is. */
bool place_is_of_others(const struct place *place);

/* lstat(2) and unlink(2): 0, or -1 and errno. */
int place_stat(const struct place *place, struct stat *status);
int place_unlink(const struct place *place);

/* A path to the file, for system calls that take no directory: `path` itself, unless other users
 * could make it lead elsewhere. The caller frees it. */
char *place_path(const struct place *place, const char *path);
/* A short path to the file, through the directory's descriptor. The caller frees it. */
char *place_descriptor_path(const struct place *place);

/* Whether a file could be created, without creating it. 0 when this process can write to the
 * directory of the path, else -1 and errno. Does not look at the file itself. */
int place_check_creatable(const char *path);

/* Whether only root can change the file, or choose which file it is. */
bool place_is_roots(const struct place *place);

/* As strerror(3), with this module's own text for its refusals. */
const char *place_strerror(int error);

#endif
