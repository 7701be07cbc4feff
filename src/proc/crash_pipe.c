/* The crash pipe of a seat. */
#include "proc/crash_pipe.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The limit of what is read and thrown away: more than an ordinary user's largest pipe holds
 * (fs.pipe-max-size). */
enum { DISCARD_SIZE = 4096, DISCARD_READS = 1024 };

int crash_pipe_open(struct crash_pipe *pipe)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return -1;
    *pipe = (struct crash_pipe){ends[0], ends[1]};
    return 0;
}

void crash_pipe_close(struct crash_pipe *pipe)
{
    close(pipe->master);
    close(pipe->worker);
}

size_t crash_pipe_waiting(const struct crash_pipe *pipe)
{
    int size = 0;
    if (ioctl(pipe->master, FIONREAD, &size) < 0 || size < 0)
        return 0;
    return size < CRASH_PIPE_MAX ? (size_t)size : CRASH_PIPE_MAX;
}

static void discard_rest(const struct crash_pipe *pipe)
{
    char block[DISCARD_SIZE];
    for (int i = 0; i < DISCARD_READS && read(pipe->master, block, sizeof(block)) > 0; i++)
        ;
}

size_t crash_pipe_take(const struct crash_pipe *pipe, char *out, size_t room)
{
    size_t size = 0;
    ssize_t n;
    while (size < room && (n = read(pipe->master, out + size, room - size)) > 0)
        size += (size_t)n;
    if (size == room)
        discard_rest(pipe);
    return size;
}
