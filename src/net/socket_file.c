/* The file of a unix socket. */
#include "net/socket_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/place.h"

/* lstat(2) of the socket file. */
static int stat_path(const struct address *address, struct stat *status)
{
    struct place place;
    int r = place_find(&place, address->path);
    if (r == 0)
        r = place_stat(&place, status);
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}

bool socket_file_is_other(const struct address *address)
{
    struct stat status;
    return address->path != NULL && stat_path(address, &status) == 0 && !S_ISSOCK(status.st_mode);
}

/* For bind(2) and connect(2), which know no directory. 0, or -1 and errno. */
static int name_place(const struct place *place, const char *path, struct sockaddr_un *un)
{
    bool fits = strlen(path) < sizeof(un->sun_path);
    char *name = fits ? place_path(place, path) : place_descriptor_path(place);
    size_t size = strlen(name);
    *un = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(un->sun_path, name, size < sizeof(un->sun_path) ? size : 0);
    free(name);
    if (size < sizeof(un->sun_path))
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

/* bind(2) tells no inode. In a directory where others can write, the name may lead to another file by now: of what is no socket, or
 * has a second name, the address must not remove or give away anything. */
static bool may_be_bound(const struct stat *status)
{
    return S_ISSOCK(status->st_mode) && status->st_nlink == 1;
}

int socket_file_bind(struct address *address, int fd)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return -1;
    struct sockaddr_un un;
    int r = name_place(&place, address->path, &un);
    if (r == 0)
        r = bind(fd, (const struct sockaddr *)&un, sizeof(un));
    if (r == 0 && place_stat(&place, &status) == 0 && may_be_bound(&status)) {
        address->owns_path = true;
        address->path_device = status.st_dev;
        address->path_inode = status.st_ino;
    }
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}

void socket_file_remove_stale(const struct address *address)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un un;
    if (fd >= 0 && name_place(&place, address->path, &un) == 0 && place_stat(&place, &status) == 0 &&
        S_ISSOCK(status.st_mode) && connect(fd, (const struct sockaddr *)&un, sizeof(un)) < 0 &&
        errno == ECONNREFUSED)
        place_unlink(&place);
    if (fd >= 0)
        close(fd);
    place_close(&place);
}

/* The file may be another server's by now. */
static bool is_own(const struct address *address, const struct stat *status)
{
    return status->st_dev == address->path_device && status->st_ino == address->path_inode;
}

void socket_file_remove(const struct address *address)
{
    struct place place;
    struct stat status;
    if (place_find(&place, address->path) < 0)
        return;
    if (place_stat(&place, &status) == 0 && is_own(address, &status))
        place_unlink(&place);
    place_close(&place);
}

bool socket_file_is_own(const struct address *address)
{
    struct stat status;
    return stat_path(address, &status) == 0 && is_own(address, &status);
}

/* The file as itself, whatever it is: -1 and errno. */
static int open_own_path(const struct address *address)
{
    struct place place;
    if (place_find(&place, address->path) < 0)
        return -1;
    int fd = openat(place.directory, place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    int error = errno;
    place_close(&place);
    errno = error;
    return fd;
}

int address_give(const struct address *address, uid_t user, gid_t group)
{
    struct stat status;
    if (!address->owns_path)
        return 0;
    /* The descriptor is looked at and given: another file may have the name by then. */
    int fd = open_own_path(address);
    if (fd < 0)
        return -1;
    int r = fstat(fd, &status);
    if (r == 0 && is_own(address, &status))
        r = fchownat(fd, "", user, group, AT_EMPTY_PATH);
    int error = errno;
    close(fd);
    errno = error;
    return r;
}
