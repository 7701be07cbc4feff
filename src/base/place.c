/* The place that a path of root's leads to. */
#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/mem.h"

enum {
    LINKS_MAX = 40, /* as in the kernel */
    TRIES_MAX = 16, /* for a file that is removed and made while it is opened */
};

/* A path on the way: the directory reached so far, and the rest of the path. */
struct walk {
    int directory;
    char *rest;
    unsigned links;
    bool exposed;
};

static bool others_can_write(const struct stat *directory)
{
    return directory->st_uid != 0 || (directory->st_mode & 022) != 0;
}

/* In a sticky directory of root's, only root can remove or replace files of root's. */
static bool is_fixed(const struct stat *directory, const struct stat *entry)
{
    bool sticky = directory->st_uid == 0 && (directory->st_mode & S_ISVTX) != 0;
    return !others_can_write(directory) || (sticky && entry->st_uid == 0);
}

static bool is_proc(int directory)
{
    struct statfs status;
    return fstatfs(directory, &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

static int enter(struct walk *walk, int directory)
{
    if (walk->directory != AT_FDCWD)
        close(walk->directory);
    walk->directory = directory;
    return 0;
}

static int enter_root(struct walk *walk)
{
    int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    return root < 0 ? -1 : enter(walk, root);
}

/* Cuts off the first component; returns an empty string at the end. */
static char *take_component(struct walk *walk)
{
    char *start = walk->rest + strspn(walk->rest, "/");
    size_t size = strcspn(start, "/");
    char *component = xstrndup(start, size);
    char *rest = xstrdup(start + size);
    free(walk->rest);
    walk->rest = rest;
    return component;
}

static bool is_last(const struct walk *walk)
{
    return walk->rest[strspn(walk->rest, "/")] == '\0';
}

/* Puts the link's target into its place in the path. */
static int replace_by_target(struct walk *walk, int link)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(link, "", target, sizeof(target) - 1);
    if (size < 0)
        return -1;
    target[size] = '\0';
    char *rest = xasprintf("%s%s", target, walk->rest);
    free(walk->rest);
    walk->rest = rest;
    return target[0] == '/' ? enter_root(walk) : 0;
}

static int refuse(int error)
{
    errno = error;
    return -1;
}

/* `link` is a descriptor of the link itself (O_PATH). */
static int follow_link(struct walk *walk, int link, const struct stat *directory, const struct stat *status)
{
    bool roots = status->st_uid == 0 && is_fixed(directory, status);
    if (walk->exposed || !roots || ++walk->links > LINKS_MAX)
        return refuse(ELOOP);
    return replace_by_target(walk, link);
}

/* Links in /proc may have targets that are no paths ("pipe:[4711]"). Users cannot create links
 * there. */
static int step_in_proc(struct walk *walk, const char *component)
{
    int next = openat(walk->directory, component, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return next < 0 ? -1 : enter(walk, next);
}

static int step_into(struct walk *walk, int next, const struct stat *directory)
{
    struct stat status;
    int r = fstat(next, &status);
    if (r == 0 && S_ISLNK(status.st_mode))
        r = follow_link(walk, next, directory, &status);
    else if (r == 0 && !S_ISDIR(status.st_mode))
        r = refuse(ENOTDIR);
    else if (r == 0) {
        walk->exposed = walk->exposed || !is_fixed(directory, &status);
        return enter(walk, next);
    }
    int error = errno;
    close(next);
    errno = error;
    return r;
}

static int stat_directory(const struct walk *walk, struct stat *status)
{
    return walk->directory == AT_FDCWD ? stat(".", status) : fstat(walk->directory, status);
}

/* Goes one component further, or to the target of a link. */
static int step(struct walk *walk, const char *component)
{
    struct stat directory;
    if (stat_directory(walk, &directory) < 0)
        return -1;
    if (is_proc(walk->directory))
        return step_in_proc(walk, component);
    int next = openat(walk->directory, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return next < 0 ? -1 : step_into(walk, next, &directory);
}

/* Returns 1 when the last component was a link, which is followed now; 0 when it is none; -1 and
 * errno. */
static int follow_last(struct walk *walk, const char *name)
{
    struct stat directory, status;
    if (is_proc(walk->directory) || stat_directory(walk, &directory) < 0)
        return 0;
    int link = openat(walk->directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (link < 0)
        return errno == ENOENT ? 0 : -1;
    int r = fstat(link, &status) == 0 && S_ISLNK(status.st_mode);
    if (r == 1)
        r = follow_link(walk, link, &directory, &status) == 0 ? 1 : -1;
    int error = errno;
    close(link);
    errno = error;
    return r;
}

/* The file's name in a new string; NULL and errno. */
static char *walk_to_end(struct walk *walk, bool follow)
{
    for (;;) {
        char *component = take_component(walk);
        bool last = is_last(walk);
        int r = last ? (follow ? follow_last(walk, component) : 0) : step(walk, component);
        if (last && r == 0 && component[0] != '\0')
            return component;
        free(component);
        if (r < 0)
            return NULL;
        if (last && r == 0) {
            errno = EISDIR;
            return NULL;
        }
    }
}

static int find_as_root(struct place *place, const char *path, bool follow)
{
    struct walk walk = {.directory = AT_FDCWD, .rest = xstrdup(path)};
    char *name = NULL;
    if (path[0] != '/' || enter_root(&walk) == 0)
        name = walk_to_end(&walk, follow);
    int error = errno;
    free(walk.rest);
    *place = (struct place){walk.directory, name, walk.exposed};
    if (name != NULL)
        return 0;
    place_close(place);
    errno = error;
    return -1;
}

/* Leaves the search to the kernel. */
static int find_as_user(struct place *place, const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        place->name = xstrdup(path);
        return 0;
    }
    char *directory = xstrndup(path, (size_t)(slash + 1 - path));
    place->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = errno;
    free(directory);
    errno = error;
    if (place->directory < 0) {
        place->directory = AT_FDCWD;
        return -1;
    }
    place->name = xstrdup(slash + 1);
    return 0;
}

static int find(struct place *place, const char *path, bool follow)
{
    *place = (struct place){.directory = AT_FDCWD};
    return geteuid() == 0 ? find_as_root(place, path, follow) : find_as_user(place, path);
}

int place_find(struct place *place, const char *path)
{
    return find(place, path, false);
}

int place_follow(struct place *place, const char *path)
{
    return find(place, path, true);
}

void place_close(struct place *place)
{
    if (place->directory != AT_FDCWD)
        close(place->directory);
    free(place->name);
    *place = (struct place){.directory = AT_FDCWD};
}

/* Links in /proc are made by the kernel. A user other than root follows all links. */
static int no_follow(const struct place *place)
{
    return geteuid() == 0 && !is_proc(place->directory) ? O_NOFOLLOW : 0;
}

static bool others_can_link(const struct place *place)
{
    struct stat directory;
    return geteuid() == 0 &&
           (place->exposed || fstatat(place->directory, "", &directory, AT_EMPTY_PATH) < 0 ||
            others_can_write(&directory));
}

bool place_is_of_others(const struct place *place)
{
    struct stat directory;
    return geteuid() == 0 &&
           (place->exposed ||
            (fstatat(place->directory, "", &directory, AT_EMPTY_PATH) == 0 && directory.st_uid != 0));
}

/* The user chose this directory of root's. */
bool place_may_give(const struct place *place)
{
    struct stat directory;
    return !place->exposed ||
           (fstatat(place->directory, "", &directory, AT_EMPTY_PATH) == 0 && directory.st_uid != 0);
}

static bool is_foreign_link(const struct place *place, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink > 1 &&
           others_can_link(place);
}

int place_open(const struct place *place, int flags)
{
    int fd =
        openat(place->directory, place->name, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | no_follow(place));
    if (fd < 0 || !is_foreign_link(place, fd))
        return fd;
    close(fd);
    return refuse(EMLINK);
}

int place_open_or_make(const struct place *place, int flags, mode_t mode, bool *made)
{
    int fd = -1;
    for (unsigned i = 0; i < TRIES_MAX; i++) {
        *made = false;
        fd = place_open(place, flags);
        if (fd >= 0 || errno != ENOENT)
            return fd;
        *made = true;
        fd = openat(place->directory, place->name,
                    flags | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, mode);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return fd;
}

int place_open_path(const char *path, int flags)
{
    struct place place;
    if (place_follow(&place, path) < 0)
        return -1;
    int fd = place_open(&place, flags);
    int error = errno;
    place_close(&place);
    errno = error;
    return fd;
}

int place_stat(const struct place *place, struct stat *status)
{
    return fstatat(place->directory, place->name, status, AT_SYMLINK_NOFOLLOW);
}

int place_unlink(const struct place *place)
{
    return unlinkat(place->directory, place->name, 0);
}

char *place_path(const struct place *place, const char *path)
{
    return place->exposed ? place_descriptor_path(place) : xstrdup(path);
}

char *place_descriptor_path(const struct place *place)
{
    if (place->directory == AT_FDCWD)
        return xstrdup(place->name);
    return xasprintf("/proc/self/fd/%d/%s", place->directory, place->name);
}

bool place_is_roots(const struct place *place)
{
    struct stat directory, file;
    return !place->exposed && fstatat(place->directory, "", &directory, AT_EMPTY_PATH) == 0 &&
           !others_can_write(&directory) && place_stat(place, &file) == 0 && !others_can_write(&file);
}

const char *place_strerror(int error)
{
    if (error == ELOOP && geteuid() == 0)
        return "root follows no symbolic link that others could have placed; name the path without it";
    if (error == EMLINK)
        return "the file has a second name (a hard link), in a directory where others can make one";
    return strerror(error);
}

int place_check_creatable(const char *path)
{
    struct place place;
    if (place_find(&place, path) < 0)
        return -1;
    int r = faccessat(place.directory, ".", W_OK | X_OK, AT_EACCESS);
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}
