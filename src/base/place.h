/*
 * A place: where a path leads that root opens, creates, renames or removes for the service. It is the descriptor of a directory and
 * the file's name in it, and all that is done to the file is done by these two.
 *
 * Root looks for the directory component by component. It follows a symbolic link only where nobody but root could have placed it: the
 * link is root's, and so is each directory down to it, and others cannot write there. In a sticky directory, as /tmp is, others cannot
 * rename what is root's; in any other directory that they can write they choose what each name leads to, and from there on no link
 * is followed at all. Another user than root has only its own rights to lose, and follows what the kernel follows.
 */
#ifndef BASE_PLACE_H
#define BASE_PLACE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

struct place {
    int directory; /* O_PATH: for *at() calls; AT_FDCWD or a descriptor, which is close-on-exec */
    char *name;    /* of the file, without a slash */
    bool exposed;  /* the process is root's, and others have a say in which directory this is */
};

/* The last component stays as it is: for what a link would be replaced by, or removed. 0, or -1 and errno: ELOOP for a link that is not
 * followed. Afterwards, also after a failure, place_close is allowed. */
int place_find(struct place *place, const char *path);
/* The last component is followed too, where it is a link and may be: for what is opened. */
int place_follow(struct place *place, const char *path);
void place_close(struct place *place);

/* Opens the file, with what openat(2) takes; a link is not followed, and a FIFO is not waited for. Another name of a file (a hard link) is
 * refused where others can make one: EMLINK. The descriptor is close-on-exec; or -1 and errno. */
int place_open(const struct place *place, int flags);
/* Opens the file as place_open does, or makes it. *made: it was not there before, and only then may it be given away. */
int place_open_or_make(const struct place *place, int flags, mode_t mode, bool *made);
/* Opens a file for reading by its path, as place_follow and place_open do. */
int place_open_path(const char *path, int flags);

/* Whether a file that was just made may be given to another user: not in a directory of root's that others could have put in this place, by
 * a rename. */
bool place_may_give(const struct place *place);

/* The process is root's, and others than root own the directory, or have a say in which one it is. */
bool place_is_of_others(const struct place *place);

/* lstat(2) and unlink(2): 0, or -1 and errno. */
int place_stat(const struct place *place, struct stat *status);
int place_unlink(const struct place *place);

/* A path that leads there, for system calls that know no directory: as it was given, unless others could turn it. The caller frees it. */
char *place_path(const struct place *place, const char *path);
/* The path by the descriptor, in any case: it is short. */
char *place_descriptor_path(const struct place *place);

/* Whether a file could be made, without making it: 0 when this process can write to the directory of that name's file, else -1 and
 * errno. The file itself may be there or not. */
int place_check_creatable(const char *path);

/* Whether nobody but root can change the file, or choose which one it is. */
bool place_is_roots(const struct place *place);

/* strerror(3), but for what this module refuses. */
const char *place_strerror(int error);

#endif
