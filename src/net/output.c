/* What a client has not taken yet: memory, then a spool, then a file; drained in that order. */
#include "net/output.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/spool.h"

/* A piece of a file on its way out. */
struct stretch {
    int fd; /* owned; -1 when there is none */
    off_t offset;
    uint64_t left;
};

struct output {
    pthread_mutex_t lock;
    atomic_uint holders; /* the connection, and a thread that waits */
    bool abandoned;
    const struct output_limits *limits;
    char *memory;
    size_t sent, size, capacity; /* memory[sent..size) is to be sent */
    struct stretch spool;
    struct stretch file;
};

struct output *output_new(const struct output_limits *limits)
{
    struct output *output = xcalloc(1, sizeof(*output));
    pthread_mutex_init(&output->lock, NULL);
    output->limits = limits;
    output->holders = 1;
    output->spool.fd = output->file.fd = -1;
    return output;
}

void output_free(struct output *output)
{
    if (output != NULL)
        output_release(output);
}

void output_hold(struct output *output)
{
    atomic_fetch_add(&output->holders, 1);
}

void output_release(struct output *output)
{
    if (atomic_fetch_sub(&output->holders, 1) > 1)
        return;
    if (output->spool.fd >= 0)
        close(output->spool.fd);
    if (output->file.fd >= 0)
        close(output->file.fd);
    pthread_mutex_destroy(&output->lock);
    free(output->memory);
    free(output);
}

void output_abandon(struct output *output)
{
    output->abandoned = true;
}

bool output_is_abandoned(const struct output *output)
{
    return output->abandoned;
}

void output_lock(struct output *output)
{
    pthread_mutex_lock(&output->lock);
}

void output_unlock(struct output *output)
{
    pthread_mutex_unlock(&output->lock);
}

static size_t memory_used(const struct output *output)
{
    return output->size - output->sent;
}

static void append_memory(struct output *output, const void *data, size_t size)
{
    if (output->sent > 0 && output->size + size > output->capacity) {
        memmove(output->memory, output->memory + output->sent, memory_used(output));
        output->size -= output->sent;
        output->sent = 0;
    }
    if (output->size + size > output->capacity) {
        size_t capacity = output->capacity > 0 ? output->capacity : 4096;
        while (capacity < output->size + size)
            capacity *= 2;
        output->memory = xrealloc(output->memory, capacity);
        output->capacity = capacity;
    }
    memcpy(output->memory + output->size, data, size);
    output->size += size;
}

static int append_spool(struct output *output, const void *data, size_t size)
{
    struct stretch *spool = &output->spool;
    if (spool->fd < 0) {
        spool->fd = spool_open(output->limits->tmp_dir);
        if (spool->fd < 0)
            return -1;
    }
    if (spool_write(spool->fd, spool->offset + (off_t)spool->left, data, size) < 0)
        return -1;
    spool->left += size;
    return 0;
}

int output_append(struct output *output, const struct iovec *vectors, int count)
{
    assert(output->file.fd < 0);
    for (int i = 0; i < count; i++) {
        const char *data = vectors[i].iov_base;
        size_t size = vectors[i].iov_len;
        if (output->spool.left == 0) {
            size_t used = memory_used(output);
            size_t room = output->limits->memory > used ? output->limits->memory - used : 0;
            size_t part = size < room ? size : room;
            if (part > 0)
                append_memory(output, data, part);
            data += part;
            size -= part;
        }
        if (size > 0 && append_spool(output, data, size) < 0)
            return -1;
    }
    return 0;
}

int output_append_file(struct output *output, int fd, off_t offset, uint64_t size)
{
    assert(output->file.fd < 0);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (own < 0)
        return -1;
    output->file = (struct stretch){.fd = own, .offset = offset, .left = size};
    return 0;
}

static int drain_memory(struct output *output, int socket, uint64_t *sent)
{
    while (memory_used(output) > 0) {
        ssize_t n = send(socket, output->memory + output->sent, memory_used(output), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        output->sent += (size_t)n;
        *sent += (uint64_t)n;
    }
    return 0;
}

static int drain_stretch(struct stretch *stretch, int socket, uint64_t *sent)
{
    while (stretch->left > 0) {
        size_t part = stretch->left < (1u << 30) ? (size_t)stretch->left : (1u << 30);
        ssize_t n = sendfile(socket, stretch->fd, &stretch->offset, part);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0) { /* the file was truncated behind our back */
            errno = EIO;
            return -1;
        }
        stretch->left -= (uint64_t)n;
        *sent += (uint64_t)n;
    }
    return 0;
}

/* The spool is empty: its space goes back to the disk, what comes next begins in memory again. */
static void rewind_spool(struct output *output)
{
    struct stretch *spool = &output->spool;
    if (spool->fd < 0 || spool->offset == 0)
        return;
    spool->offset = 0;
    if (ftruncate(spool->fd, 0) < 0)
        return; /* then it keeps its space, to be written again */
}

int output_drain(struct output *output, int socket, uint64_t *sent)
{
    int r = drain_memory(output, socket, sent);
    if (r == 0)
        r = drain_stretch(&output->spool, socket, sent);
    if (r == 0) {
        rewind_spool(output);
        r = drain_stretch(&output->file, socket, sent);
    }
    if (r < 0 && errno == EAGAIN)
        return 0;
    return r;
}

bool output_is_empty(const struct output *output)
{
    return memory_used(output) == 0 && output->spool.left == 0 && output->file.left == 0;
}

bool output_is_full(const struct output *output)
{
    /* What was sent from the front of the spool takes up space until all of it was sent. */
    uint64_t spooled = (uint64_t)output->spool.offset + output->spool.left;
    if (spooled == 0)
        return output->limits->spool == 0 && memory_used(output) >= output->limits->memory;
    return spooled >= output->limits->spool;
}
