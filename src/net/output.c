/* Output that a client has not taken: memory, then a spool, then bytes that the spool refused, then
 * a file. It is sent in that order. */
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

/* Bytes in memory: bytes[sent..size) are to be sent. */
struct store {
    char *bytes;
    size_t sent, size, capacity;
};

/* A part of a file to be sent. */
struct stretch {
    int fd; /* owned; -1 when there is none */
    off_t offset;
    uint64_t left;
};

struct output {
    pthread_mutex_t lock;
    atomic_uint holders; /* references: the connection, and a thread that waits */
    bool abandoned;
    const struct output_limits *limits;
    struct store memory;
    struct stretch spool;
    uint64_t reserved;    /* bytes of --spool-total that the spool has */
    struct store refused; /* bytes of an accepted block that the spool refused */
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
    spool_release(output->limits->budget, &output->reserved);
    free(output->memory.bytes);
    free(output->refused.bytes);
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

static size_t store_used(const struct store *store)
{
    return store->size - store->sent;
}

static void store_add(struct store *store, const void *data, size_t size)
{
    if (store->sent > 0 && store->size + size > store->capacity) {
        memmove(store->bytes, store->bytes + store->sent, store_used(store));
        store->size -= store->sent;
        store->sent = 0;
    }
    if (store->size + size > store->capacity) {
        size_t capacity = store->capacity > 0 ? store->capacity : 4096;
        while (capacity < store->size + size)
            capacity *= 2;
        store->bytes = xrealloc(store->bytes, capacity);
        store->capacity = capacity;
    }
    memcpy(store->bytes + store->size, data, size);
    store->size += size;
}

static void store_empty(struct store *store)
{
    free(store->bytes);
    *store = (struct store){NULL, 0, 0, 0};
}

static int append_spool(struct output *output, const void *data, size_t size)
{
    struct stretch *spool = &output->spool;
    uint64_t end = (uint64_t)spool->offset + spool->left;
    if (spool_reserve(output->limits->budget, &output->reserved, end + size) < 0)
        return -1;
    if (spool->fd < 0) {
        spool->fd = spool_open(output->limits->tmp_dir);
        if (spool->fd < 0)
            return -1;
    }
    if (spool_write(spool->fd, (off_t)end, data, size) < 0)
        return -1;
    spool->left += size;
    return 0;
}

/* Fills memory while nothing is queued behind it. Returns the number of bytes. */
static size_t fill_memory(struct output *output, const char *data, size_t size)
{
    size_t used = store_used(&output->memory), most = output->limits->memory;
    size_t room = most > used ? most - used : 0;
    size_t part = size < room ? size : room;
    if (output->spool.left > 0 || output_is_refused(output))
        return 0;
    if (part > 0)
        store_add(&output->memory, data, part);
    return part;
}

int output_append(struct output *output, const struct iovec *vectors, int count)
{
    int refused = 0;
    assert(output->file.fd < 0);
    for (int i = 0; i < count; i++) {
        const char *data = vectors[i].iov_base;
        size_t size = vectors[i].iov_len;
        size_t part = fill_memory(output, data, size);
        data += part;
        size -= part;
        if (size == 0)
            continue;
        if (!output_is_refused(output) && append_spool(output, data, size) == 0)
            continue;
        refused = refused != 0 || output_is_refused(output) ? refused : errno;
        store_add(&output->refused, data, size);
    }
    return refused;
}

void output_lend_file(struct output *output, int fd, off_t offset, uint64_t size)
{
    assert(output->file.fd < 0);
    output->file = (struct stretch){.fd = fd, .offset = offset, .left = size};
}

int output_keep_file(struct output *output)
{
    struct stretch *file = &output->file;
    int lent = file->fd;
    file->fd = -1;
    if (file->left > 0)
        file->fd = fcntl(lent, F_DUPFD_CLOEXEC, 3);
    return file->left > 0 && file->fd < 0 ? -1 : 0;
}

void output_take_back_file(struct output *output, off_t *offset, uint64_t *left)
{
    *offset = output->file.offset;
    *left = output->file.left;
    output->file.left = 0;
}

static int drain_store(struct store *store, int socket, uint64_t *sent)
{
    while (store_used(store) > 0) {
        ssize_t n = send(socket, store->bytes + store->sent, store_used(store), MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        store->sent += (size_t)n;
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
        if (n == 0) { /* the file was truncated meanwhile */
            errno = EIO;
            return -1;
        }
        stretch->left -= (uint64_t)n;
        *sent += (uint64_t)n;
    }
    return 0;
}

/* The spool is empty: gives its space back to the disk. The next output begins in memory again. */
static void rewind_spool(struct output *output)
{
    struct stretch *spool = &output->spool;
    if (spool->fd < 0 || spool->offset == 0)
        return;
    spool->offset = 0;
    if (ftruncate(spool->fd, 0) < 0)
        return; /* the file keeps its space, to be written again */
    spool_release(output->limits->budget, &output->reserved);
}

int output_drain(struct output *output, int socket, uint64_t *sent)
{
    int r = drain_store(&output->memory, socket, sent);
    if (r == 0)
        r = drain_stretch(&output->spool, socket, sent);
    if (r == 0) {
        rewind_spool(output);
        r = drain_store(&output->refused, socket, sent);
    }
    if (r == 0) {
        store_empty(&output->refused);
        r = drain_stretch(&output->file, socket, sent);
    }
    if (r < 0 && errno == EAGAIN)
        return 0;
    return r;
}

bool output_is_refused(const struct output *output)
{
    return store_used(&output->refused) > 0;
}

uint64_t output_left(const struct output *output)
{
    return store_used(&output->memory) + output->spool.left + store_used(&output->refused) +
           output->file.left;
}

bool output_is_empty(const struct output *output)
{
    return output_left(output) == 0;
}

bool output_is_full(const struct output *output)
{
    if (output_is_refused(output))
        return true;
    /* The front of the spool takes up space until all of it was sent. */
    uint64_t spooled = (uint64_t)output->spool.offset + output->spool.left;
    if (spooled == 0)
        return output->limits->spool == 0 && store_used(&output->memory) >= output->limits->memory;
    return spooled >= output->limits->spool;
}
