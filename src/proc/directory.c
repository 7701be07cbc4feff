/* The working directory: its name, and the directory that the name leads to. */
#include "proc/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/place.h"
#include "base/program.h"
#include "proc/privileges.h"

struct directory {
    int fd;
};

static struct {
    char *name, *base, *path;
} own;

static char *name_of(const char *chdir)
{
    if (chdir[0] == '/')
        return xstrdup(chdir);
    return strcmp(chdir, ".") == 0 ? xstrdup(program_directory())
                                   : xasprintf("%s/%s", program_directory(), chdir);
}

static struct directory *directory_new(int fd)
{
    if (fd < 0)
        return NULL;
    struct directory *directory = xcalloc(1, sizeof(*directory));
    directory->fd = fd;
    return directory;
}

enum { DIRECTORY_FLAGS = O_PATH | O_DIRECTORY | O_CLOEXEC };

static int find_inside(struct place *place, const char *name)
{
    char *inside = xasprintf("%s/.", name);
    int r = place_follow(place, inside);
    int error = errno;
    free(inside);
    errno = error;
    return r;
}

static int open_as_root(const char *name)
{
    struct place place;
    int r = find_inside(&place, name);
    int fd = r == 0 ? openat(place.directory, ".", DIRECTORY_FLAGS) : -1;
    int error = errno;
    place_close(&place);
    errno = error;
    return fd;
}

static int open_as_user(const char *name)
{
    if (privileges_begin_as_user() < 0)
        return -1;
    int fd = open(name, DIRECTORY_FLAGS);
    int error = errno;
    privileges_end_as_user();
    errno = error;
    return fd;
}

/* A user who can change the name must not lead root, or its own workers, to a directory where
 * the user cannot go. */
static int open_name(const char *name)
{
    int fd = open_as_user(name);
    if (fd >= 0 || geteuid() != 0)
        return fd;
    int error = errno;
    fd = open_as_root(name);
    errno = error;
    return fd;
}

static void note_path(void)
{
    char *path = getcwd(NULL, 0);
    free(own.path);
    own.path = path != NULL ? path : xstrdup(own.name);
}

static bool root_may_follow(const char *name)
{
    struct place place;
    int r = find_inside(&place, name);
    place_close(&place);
    return r == 0;
}

static bool is_of_others(const char *path)
{
    struct place place;
    bool of_others = find_inside(&place, path) == 0 && place_is_of_others(&place);
    place_close(&place);
    return of_others;
}

/* A link that another user can change must not lead root to a directory of root's, where that
 * user could create nothing. There the name stays, and root creates nothing (ELOOP). */
static const char *find_base(void)
{
    return !root_may_follow(own.name) && is_of_others(own.path) ? own.path : own.name;
}

int directory_begin(const char *chdir)
{
    own.name = name_of(chdir);
    struct directory *directory = strcmp(chdir, ".") == 0 ? directory_here() : directory_open();
    int r = directory != NULL ? directory_enter(directory) : -1;
    int error = errno;
    directory_close(directory);
    if (r < 0)
        own.path = xstrdup(own.name);
    own.base = xstrdup(r < 0 ? own.name : find_base());
    errno = error;
    return r;
}

const char *directory_name(void)
{
    return own.name;
}

const char *directory_base(void)
{
    return own.base;
}

const char *directory_path(void)
{
    return own.path;
}

char *directory_find(const char *path)
{
    return path[0] == '/' || own.path == NULL ? xstrdup(path) : xasprintf("%s/%s", own.path, path);
}

struct directory *directory_open(void)
{
    return directory_new(open_name(own.name));
}

struct directory *directory_here(void)
{
    return directory_new(open(".", DIRECTORY_FLAGS));
}

void directory_close(struct directory *directory)
{
    if (directory == NULL)
        return;
    close(directory->fd);
    free(directory);
}

bool directory_is_same(const struct directory *a, const struct directory *b)
{
    struct stat of_a, of_b;
    return fstat(a->fd, &of_a) == 0 && fstat(b->fd, &of_b) == 0 && of_a.st_dev == of_b.st_dev &&
           of_a.st_ino == of_b.st_ino;
}

int directory_enter(const struct directory *directory)
{
    if (fchdir(directory->fd) < 0)
        return -1;
    note_path();
    return 0;
}

static bool is_removed(const struct directory *directory)
{
    struct stat status;
    return fstat(directory->fd, &status) == 0 && status.st_nlink == 0;
}

int directory_enter_living(const struct directory *directory)
{
    struct directory *other = is_removed(directory) ? directory_open() : NULL;
    if (other == NULL)
        return directory_enter(directory);
    log_warning("the working directory of the workers has been removed; a new worker starts in the directory "
                "that %s leads to now: reload, so that all workers do",
                own.name);
    int r = directory_enter(other);
    int error = errno;
    directory_close(other);
    errno = error;
    return r;
}
