/* Files that are watched for changes. */
#include "worker/watch.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/standard_fds.h"
#include "options/listing.h"
#include "proc/directory.h"

enum {
    EVENTS = IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MOVE_SELF |
             IN_DELETE_SELF | IN_ONLYDIR
};

/* The most directories that are watched because they were found below another: a user who has
 * the application in a home directory does not mean all of it. */
enum { FOUND_MAX = 1000 };

struct directory {
    char *path;
    char **names; /* of the files in it that count */
    size_t name_count;
    int wd;          /* inotify's number; -1: not watched */
    bool neighbours; /* all Python source in it counts too */
    bool missing;
};

struct watch {
    int fd;
    struct directory **directories;
    size_t count, found;
    struct listing unwatched;
    int error; /* of the last directory that could not be watched */
    bool full; /* FOUND_MAX is reached */
    bool warned;
};

struct watch *watch_open(void)
{
    int fd = fd_above_standard(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (fd < 0)
        return NULL;
    struct watch *watch = xcalloc(1, sizeof(*watch));
    watch->fd = fd;
    return watch;
}

static void directory_free(struct directory *directory)
{
    for (size_t i = 0; i < directory->name_count; i++)
        free(directory->names[i]);
    free(directory->names);
    free(directory->path);
    free(directory);
}

void watch_free(struct watch *watch)
{
    if (watch == NULL)
        return;
    for (size_t i = 0; i < watch->count; i++)
        directory_free(watch->directories[i]);
    free(watch->directories);
    close(watch->fd);
    free(watch);
}

/* An editor, or git, that takes a file away puts another one there a moment later. */
enum { QUIET_MS = 50, QUIET_GONE_MS = 300 };

unsigned watch_quiet_ms(enum watch_change change)
{
    return change == WATCH_GONE ? QUIET_GONE_MS : QUIET_MS;
}

int watch_fd(const struct watch *watch)
{
    return watch->fd;
}

static bool is_of_identifier(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 0x80;
}

/* Editors have files of their own beside the source for a moment: .app.py.swp, 4913, app.py~,
 * #app.py#, .#app.py, and a linter's copy. */
static bool is_source(const char *name)
{
    size_t size = strlen(name);
    return size > 3 && strcmp(name + size - 3, ".py") == 0 && is_of_identifier(name[0]) &&
           strncmp(name, "flycheck_", 9) != 0;
}

/* True when a directory of that name can be imported from. */
static bool is_package(const char *name)
{
    size_t i = 0;
    while (is_of_identifier(name[i]))
        i++;
    return i > 0 && name[i] == '\0' && strcmp(name, "__pycache__") != 0;
}

static bool has_name(const struct directory *directory, const char *name)
{
    for (size_t i = 0; i < directory->name_count; i++)
        if (strcmp(directory->names[i], name) == 0)
            return true;
    return false;
}

static bool counts(const struct directory *directory, const char *name)
{
    return has_name(directory, name) || (directory->neighbours && is_source(name));
}

static struct directory *find(const struct watch *watch, const char *path)
{
    for (size_t i = 0; i < watch->count; i++)
        if (strcmp(watch->directories[i]->path, path) == 0)
            return watch->directories[i];
    return NULL;
}

static bool is_used(const struct watch *watch, int wd)
{
    for (size_t i = 0; i < watch->count; i++)
        if (watch->directories[i]->wd == wd)
            return true;
    return false;
}

static void let_go(struct watch *watch, struct directory *directory)
{
    int wd = directory->wd;
    directory->wd = -1;
    if (wd >= 0 && !is_used(watch, wd))
        inotify_rm_watch(watch->fd, wd);
}

static void note_unwatched(struct watch *watch, const struct directory *directory, int error)
{
    if (watch->warned)
        return;
    watch->error = error;
    listing_add(&watch->unwatched, "%s", directory->path);
}

/* Watches the directory that the path leads to. inotify gives the same number as before unless
 * that is another one. True when it is another, or exists again. */
static bool follow(struct watch *watch, struct directory *directory)
{
    int wd = inotify_add_watch(watch->fd, directory->path, EVENTS), error = errno;
    bool news = wd >= 0 && (directory->missing || (directory->wd >= 0 && directory->wd != wd));
    if (wd < 0 || wd != directory->wd)
        let_go(watch, directory);
    directory->wd = wd;
    directory->missing = wd < 0 && (error == ENOENT || error == ENOTDIR);
    if (wd < 0 && !directory->missing)
        note_unwatched(watch, directory, error);
    return news;
}

static struct directory *add(struct watch *watch, const char *path)
{
    struct directory *directory = xcalloc(1, sizeof(*directory));
    directory->path = xstrdup(path);
    directory->wd = -1;
    watch->directories = xrealloc(watch->directories, (watch->count + 1) * sizeof(struct directory *));
    watch->directories[watch->count++] = directory;
    follow(watch, directory);
    return directory;
}

/* Drops a directory that was found, and is gone. */
static void drop(struct watch *watch, size_t i)
{
    let_go(watch, watch->directories[i]);
    directory_free(watch->directories[i]);
    watch->found--;
    watch->directories[i] = watch->directories[--watch->count];
}

static bool has_source(const char *path)
{
    const struct dirent *entry;
    bool found = false;
    DIR *stream = opendir(path);
    while (stream != NULL && !found && (entry = readdir(stream)) != NULL)
        found = is_source(entry->d_name);
    if (stream != NULL)
        closedir(stream);
    return found;
}

/* Follows no symbolic link, so that the tree has an end. */
static bool is_directory(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

static bool explore(struct watch *watch, const char *path, bool all);

/* True when there is source in the directory or below. It is watched before it is read, so that
 * no change falls between. */
static bool take_found(struct watch *watch, const char *path, bool all)
{
    struct directory *directory = find(watch, path);
    if (directory == NULL && watch->found == FOUND_MAX) {
        watch->full = true;
        return false;
    }
    if (directory == NULL) {
        watch->found++;
        directory = add(watch, path);
    }
    directory->neighbours = true;
    bool below = explore(watch, path, all);
    return has_source(path) || below;
}

/* Takes the directories below that can be imported from. Directories without any source are
 * entered only if `all` are: they may be very large. True when there is some source. */
static bool explore(struct watch *watch, const char *path, bool all)
{
    const struct dirent *entry;
    bool found = false;
    DIR *stream = opendir(path);
    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        if (!is_package(entry->d_name) || (entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN))
            continue;
        char *below = xasprintf("%s/%s", path, entry->d_name);
        if (is_directory(below) && (all || has_source(below)))
            found = take_found(watch, below, all) || found;
        free(below);
    }
    if (stream != NULL)
        closedir(stream);
    return found;
}

static void add_neighbours(struct watch *watch, struct directory *directory)
{
    if (directory->neighbours)
        return;
    directory->neighbours = true;
    explore(watch, directory->path, false);
}

static void add_name(struct directory *directory, const char *name)
{
    if (has_name(directory, name))
        return;
    directory->names = xrealloc(directory->names, (directory->name_count + 1) * sizeof(char *));
    directory->names[directory->name_count++] = xstrdup(name);
}

static void add_file(struct watch *watch, const char *path, bool neighbours)
{
    const char *slash = strrchr(path, '/');
    char *parent = slash > path ? xstrndup(path, (size_t)(slash - path)) : xstrdup("/");
    struct directory *directory = find(watch, parent);
    if (directory == NULL)
        directory = add(watch, parent);
    add_name(directory, slash + 1);
    if (neighbours)
        add_neighbours(watch, directory);
    free(parent);
}

void watch_file(struct watch *watch, const char *path, bool neighbours)
{
    if (path[0] != '/')
        return;
    char *real = realpath(path, NULL);
    add_file(watch, path, neighbours);
    if (real != NULL && strcmp(real, path) != 0)
        add_file(watch, real, false);
    free(real);
}

void watch_application(struct watch *watch, const char *directory, const struct options *options,
                       bool neighbours)
{
    int size = (int)strcspn(options->application, ".:");
    char *path = xasprintf("%s/%.*s.py", directory, size, options->application);
    watch_file(watch, path, neighbours);
    free(path);
}

void watch_options(struct watch *watch, const struct options *options)
{
    const struct string_list *extra = &options->reload_extra_file;
    if (options->config != NULL)
        watch_file(watch, options->config, false);
    char *env_file = options->env_file != NULL ? directory_find(options->env_file) : NULL;
    if (env_file != NULL)
        watch_file(watch, env_file, false);
    free(env_file);
    for (size_t i = 0; i < extra->count; i++)
        watch_file(watch, extra->items[i], false);
}

void watch_warn(struct watch *watch)
{
    if (watch->warned || (watch->unwatched.count == 0 && !watch->full))
        return;
    watch->warned = true;
    if (watch->unwatched.count > 0)
        log_warning("--reload: what is saved in %s is not noticed: %s", listing_end(&watch->unwatched),
                    watch->error == ENOSPC ? "fs.inotify.max_user_watches is reached"
                                           : strerror(watch->error));
    if (watch->full)
        log_warning(
            "--reload: of the directories beside the application %d are watched for new files, and there "
            "are more",
            FOUND_MAX);
}

static enum watch_change tell(enum watch_change change, char *path, size_t size, const char *parent,
                              const char *name)
{
    snprintf(path, size, "%s%s%s", parent, name[0] != '\0' ? "/" : "", name);
    return change;
}

static bool is_not_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec > b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec >= b->tv_nsec);
}

bool watch_is_since(const char *path, const struct timespec *since)
{
    struct timespec now;
    struct stat status;
    clock_gettime(CLOCK_REALTIME, &now);
    return stat(path, &status) == 0 && is_not_before(&status.st_ctim, since) &&
           is_not_before(&now, &status.st_ctim);
}

/* False also when the directory cannot be read: then no file in it is watched. */
static bool find_since(const struct directory *directory, const struct timespec *since, char *path,
                       size_t size)
{
    const struct dirent *entry;
    bool found = false;
    DIR *stream = opendir(directory->path);
    while (stream != NULL && !found && (entry = readdir(stream)) != NULL) {
        if (!counts(directory, entry->d_name))
            continue;
        tell(WATCH_SAVED, path, size, directory->path, entry->d_name);
        found = watch_is_since(path, since);
    }
    if (stream != NULL)
        closedir(stream);
    return found;
}

bool watch_find_since(const struct watch *watch, const struct timespec *since, char *path, size_t size)
{
    size_t i = 0;
    while (i < watch->count && !find_since(watch->directories[i], since, path, size))
        i++;
    return i < watch->count;
}

/* A link is complete from the first moment. Other new files are saved when the writing ends. */
static bool is_link(const struct directory *directory, const char *name)
{
    char *path = xasprintf("%s/%s", directory->path, name);
    struct stat status;
    bool is = lstat(path, &status) == 0 && (S_ISLNK(status.st_mode) || status.st_nlink > 1);
    free(path);
    return is;
}

static enum watch_change file_changed(const struct directory *directory, const struct inotify_event *event,
                                      char *path, size_t size)
{
    bool gone = (event->mask & (IN_DELETE | IN_MOVED_FROM)) != 0;
    if (!counts(directory, event->name) ||
        ((event->mask & IN_CREATE) != 0 && !is_link(directory, event->name)))
        return WATCH_NONE;
    return tell(gone ? WATCH_GONE : WATCH_SAVED, path, size, directory->path, event->name);
}

/* The directory is watched first: files come later, or are found in it at once. Directories
 * below one that is made here are made later too, so all of them are entered. */
static enum watch_change directory_came(struct watch *watch, const struct directory *parent,
                                        const struct inotify_event *event, char *path, size_t size)
{
    const char *name = event->name;
    bool made = (event->mask & IN_CREATE) != 0;
    char *below = xasprintf("%s/%s", parent->path, name);
    struct directory *known = find(watch, below);
    bool news = known != NULL && follow(watch, known);
    if (parent->neighbours && is_package(name))
        news = take_found(watch, below, made) || news;
    free(below);
    return news ? tell(WATCH_SAVED, path, size, parent->path, name) : WATCH_NONE;
}

static enum watch_change directory_left(struct watch *watch, struct directory *directory, char *path,
                                        size_t size)
{
    let_go(watch, directory);
    directory->missing = true;
    return directory->name_count > 0 ? tell(WATCH_GONE, path, size, directory->path, "") : WATCH_NONE;
}

static enum watch_change happened(struct watch *watch, struct directory *directory,
                                  const struct inotify_event *event, char *path, size_t size)
{
    if ((event->mask & (IN_MOVE_SELF | IN_DELETE_SELF | IN_IGNORED)) != 0)
        return directory_left(watch, directory, path, size);
    if (event->len == 0)
        return WATCH_NONE;
    if ((event->mask & IN_ISDIR) == 0)
        return file_changed(directory, event, path, size);
    if ((event->mask & (IN_CREATE | IN_MOVED_TO)) != 0)
        return directory_came(watch, directory, event, path, size);
    return WATCH_NONE;
}

/* Several paths can lead to one directory, which has one number. */
static enum watch_change handle(struct watch *watch, const struct inotify_event *event, char *path,
                                size_t size)
{
    enum watch_change last = WATCH_NONE;
    if ((event->mask & IN_Q_OVERFLOW) != 0)
        return tell(WATCH_SAVED, path, size, "more than can be told", "");
    for (size_t i = 0, count = watch->count; i < count; i++) {
        if (watch->directories[i]->wd != event->wd)
            continue;
        enum watch_change change = happened(watch, watch->directories[i], event, path, size);
        last = change != WATCH_NONE ? change : last;
    }
    return last;
}

enum watch_change watch_read(struct watch *watch, char *path, size_t size)
{
    alignas(struct inotify_event) char buffer[4096];
    enum watch_change last = WATCH_NONE;
    ssize_t length;
    while ((length = read(watch->fd, buffer, sizeof(buffer))) > 0) {
        const struct inotify_event *event;
        for (const char *at = buffer; at < buffer + length; at += sizeof(*event) + event->len) {
            event = (const struct inotify_event *)at;
            enum watch_change change = handle(watch, event, path, size);
            last = change != WATCH_NONE ? change : last;
        }
    }
    return last;
}

enum watch_change watch_look_again(struct watch *watch, char *path, size_t size)
{
    enum watch_change last = WATCH_NONE;
    for (size_t i = watch->count; i-- > 0;) {
        struct directory *directory = watch->directories[i];
        if (follow(watch, directory)) {
            last = tell(WATCH_SAVED, path, size, directory->path, "");
            if (directory->neighbours)
                explore(watch, directory->path, false);
        } else if (directory->missing && directory->name_count == 0) {
            drop(watch, i);
        }
    }
    return last;
}
