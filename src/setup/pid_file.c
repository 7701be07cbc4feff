/* The PID file (--pid). */
#include "setup/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/place.h"
#include "base/slice.h"

enum {
    PID_TEXT_SIZE = 32,
    TRIES_MAX = 16,   /* to replace a file that other processes replace meanwhile */
    BESIDE_MAX = 100, /* names for the new file; crashes may have left files with some of them */
};

struct pid_file {
    char *path;
    int fd;
};

/* Returns the number in the file; 0 when there is no number in it. */
static pid_t read_pid(int fd)
{
    char text[PID_TEXT_SIZE];
    uint64_t number;
    ssize_t size = pread(fd, text, sizeof(text), 0);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    if (size <= 0 || slice_to_uint64((struct slice){text, (size_t)size}, &number) < 0 || number > INT32_MAX)
        return 0;
    return (pid_t)number;
}

static int put_pid(int fd)
{
    char text[PID_TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(fd, 0644 & ~mask) < 0)
        return -1;
    return write(fd, text, (size_t)size) == size ? 0 : -1;
}

static bool is_same(const struct place *place, int fd)
{
    struct stat named, open;
    return place_stat(place, &named) == 0 && fstat(fd, &open) == 0 && named.st_dev == open.st_dev &&
           named.st_ino == open.st_ino;
}

static int lock(int fd)
{
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_SETLK, &all);
}

/*
 * Returns the process that has a write lock on the file. 0: no process. -1: a process outside this
 * PID namespace. A read lock does not count: any process that may read the file can set one.
 */
static pid_t find_owner(int fd)
{
    struct flock all = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_GETLK, &all) < 0 || all.l_type == F_UNLCK)
        return 0;
    return all.l_pid > 0 ? all.l_pid : -1;
}

/*
 * Makes a file in the same directory, locked, with the number of this process. The caller frees
 * *beside, but does not close it. Returns the descriptor, or -1 and errno.
 */
static int make_beside(const struct place *place, struct place *beside)
{
    int fd = -1;
    *beside = (struct place){.directory = place->directory, .exposed = place->exposed};
    for (unsigned i = 0; fd < 0 && i < BESIDE_MAX; i++) {
        free(beside->name);
        beside->name = xasprintf("%s.%d.%u", place->name, (int)getpid(), i);
        fd = openat(place->directory, beside->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    if (fd < 0 || (put_pid(fd) == 0 && lock(fd) == 0))
        return fd;
    int error = errno;
    place_unlink(beside);
    close(fd);
    errno = error;
    return -1;
}

/* Opens the file that has the name, but no target of a link. -1 and errno on failure. */
static int open_old(const struct place *place)
{
    enum { FLAGS = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC };
    int fd = openat(place->directory, place->name, O_RDWR | FLAGS);
    return fd < 0 && errno == EACCES ? openat(place->directory, place->name, O_RDONLY | FLAGS) : fd;
}

/* Takes the name when no file has it. 0, or -1 and errno. EEXIST: a file has it by now. */
static int take_free_name(const struct place *place, const struct place *beside)
{
    if (linkat(beside->directory, beside->name, place->directory, place->name, 0) == 0)
        return place_unlink(beside);
    if (errno == EEXIST)
        return -1;
    /* The file system has no hard links. */
    return renameat(beside->directory, beside->name, place->directory, place->name);
}

/*
 * Replaces the file that has the name. When two processes start at once, one gets the lock on the
 * old file. 0, or -1 and errno. EEXIST: another file has the name by now. EBUSY: the process *owner
 * has locked the old file.
 */
static int take_name(const struct place *place, const struct place *beside, pid_t *owner)
{
    int old = open_old(place), r = -1;
    if (old < 0 && errno == ENOENT)
        return take_free_name(place, beside);
    *owner = old >= 0 && lock(old) < 0 ? find_owner(old) : 0;
    if (*owner != 0)
        errno = EBUSY;
    else if (old >= 0 && !is_same(place, old))
        errno = EEXIST;
    else
        r = renameat(beside->directory, beside->name, place->directory, place->name);
    int error = errno;
    if (old >= 0)
        close(old);
    errno = error;
    return r;
}

/* Returns the descriptor of the new file, or -1 and errno as take_name. */
static int replace(const struct place *place, pid_t *owner)
{
    struct place beside;
    int fd = make_beside(place, &beside), r = -1;
    for (unsigned i = 0; fd >= 0 && r < 0 && i < TRIES_MAX; i++) {
        r = take_name(place, &beside, owner);
        if (r < 0 && errno != EEXIST)
            break;
    }
    int error = errno;
    if (fd >= 0 && r < 0) {
        place_unlink(&beside);
        close(fd);
        fd = -1;
    }
    free(beside.name);
    errno = error;
    return fd;
}

/* Root could replace even /dev/null by a file. */
static bool is_other_kind(const struct place *place)
{
    struct stat status;
    return place_stat(place, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISLNK(status.st_mode);
}

static int explain(const char *path, char *message, size_t size)
{
    snprintf(message, size, "--pid: %s cannot be written: %s", path, place_strerror(errno));
    return -1;
}

static void explain_owner(const char *path, pid_t owner, char *message, size_t size)
{
    if (owner > 0)
        snprintf(message, size,
                 "--pid: %s belongs to process %d, which is running; stop it, or name another file", path,
                 (int)owner);
    else
        snprintf(message, size,
                 "--pid: %s belongs to a process that is running in another container; name another file",
                 path);
}

/* 0, or -1 with one sentence in `message`. */
static int find(struct place *place, const char *path, char *message, size_t size)
{
    if (place_find(place, path) < 0)
        return explain(path, message, size);
    if (!is_other_kind(place))
        return 0;
    snprintf(message, size, "--pid: %s is not a regular file", path);
    place_close(place);
    return -1;
}

int pid_file_check(const char *path, char *message, size_t size)
{
    struct place place;
    if (find(&place, path, message, size) < 0)
        return -1;
    place_close(&place);
    return place_check_creatable(path) == 0 ? 0 : explain(path, message, size);
}

static struct pid_file *file_new(const char *path, int fd)
{
    struct pid_file *file = xcalloc(1, sizeof(*file));
    file->path = xstrdup(path);
    file->fd = fd;
    return file;
}

struct pid_file *pid_file_write(const char *path, char *message, size_t size)
{
    struct place place;
    pid_t owner = 0;
    if (find(&place, path, message, size) < 0)
        return NULL;
    int fd = replace(&place, &owner);
    if (owner != 0)
        explain_owner(path, owner, message, size);
    else if (fd < 0)
        explain(path, message, size);
    place_close(&place);
    return fd >= 0 ? file_new(path, fd) : NULL;
}

bool pid_file_is_at(const struct pid_file *file, const char *path)
{
    struct place place;
    if (strcmp(file->path, path) != 0 || place_find(&place, path) < 0)
        return false;
    bool same = is_same(&place, file->fd) && read_pid(file->fd) == getpid();
    place_close(&place);
    return same;
}

int pid_file_remove(const struct pid_file *file)
{
    struct place place;
    if (place_find(&place, file->path) < 0)
        return errno == ENOENT ? 0 : -1;
    int r = is_same(&place, file->fd) && read_pid(file->fd) == getpid() ? place_unlink(&place) : 0;
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}

void pid_file_free(struct pid_file *file)
{
    if (file == NULL)
        return;
    close(file->fd);
    free(file->path);
    free(file);
}

void pid_file_forget(const struct pid_file *file)
{
    if (file != NULL)
        close(file->fd);
}

const char *pid_file_path(const struct pid_file *file)
{
    return file->path;
}

void pid_file_save(const struct pid_file *file, struct upgrade_state *saved)
{
    if (file != NULL)
        upgrade_state_add(saved, "pid-file", file->path, SAVED_NUMBERS(upgrade_state_keep(saved, file->fd)));
}

struct pid_file *pid_file_load(const struct upgrade_state *saved)
{
    const struct saved_line *line = upgrade_state_next(saved, "pid-file", NULL, 1);
    return line != NULL ? file_new(line->text, (int)line->numbers[0]) : NULL;
}
