/* --pid: the file that tells others which process the master is. */
#include "proc/pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/creatable.h"
#include "base/mem.h"
#include "base/slice.h"

enum { PID_TEXT_SIZE = 32 };

/* The number that the file holds; 0 when there is no file, or no number in it. A FIFO must not hold us up. */
static pid_t read_pid(const char *path)
{
    char text[PID_TEXT_SIZE];
    uint64_t number;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return 0;
    ssize_t size = read(fd, text, sizeof(text));
    close(fd);
    while (size > 0 && strchr(" \t\r\n", text[size - 1]) != NULL)
        size--;
    if (size <= 0 || slice_to_uint64((struct slice){text, (size_t)size}, &number) < 0 || number > INT32_MAX)
        return 0;
    return (pid_t)number;
}

static bool is_alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
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

/* As a new file beside it, that then takes its name. 0, or -1 and errno. */
static int replace(const char *path)
{
    char *beside = xasprintf("%s.XXXXXX", path);
    int fd = mkostemp(beside, O_CLOEXEC), error = 0;
    if (fd < 0) {
        error = errno;
    } else {
        if (put_pid(fd) < 0 || rename(beside, path) < 0) {
            error = errno;
            unlink(beside);
        }
        close(fd);
    }
    free(beside);
    errno = error;
    return error == 0 ? 0 : -1;
}

/* Root could put its file in the place of /dev/null. */
static bool is_other_kind(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

static int refuse_other_kind(const char *path, char *message, size_t size)
{
    if (!is_other_kind(path))
        return 0;
    snprintf(message, size, "--pid: %s is not a regular file", path);
    return -1;
}

static int explain(const char *path, char *message, size_t size)
{
    snprintf(message, size, "--pid: %s can not be written: %s", path, strerror(errno));
    return -1;
}

int pid_file_check(const char *path, char *message, size_t size)
{
    if (refuse_other_kind(path, message, size) < 0)
        return -1;
    return creatable_check(path) == 0 ? 0 : explain(path, message, size);
}

int pid_file_write(const char *path, char *message, size_t size)
{
    pid_t other = read_pid(path);
    if (refuse_other_kind(path, message, size) < 0)
        return -1;
    if (other != 0 && other != getpid() && is_alive(other)) {
        snprintf(message, size,
                 "--pid: %s belongs to process %d, which is running; stop it, or name another file", path,
                 (int)other);
        return -1;
    }
    return replace(path) == 0 ? 0 : explain(path, message, size);
}

int pid_file_remove(const char *path)
{
    return read_pid(path) == getpid() ? unlink(path) : 0;
}
