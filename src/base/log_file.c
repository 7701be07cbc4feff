/*
 * The destination of records. It has no locks: the descriptor's number never changes (dup3 puts a
 * new file in its place), and counts are atomic. So a fork at any moment leaves no lock held in the
 * child.
 *
 * Whether a write may block is decided once, when the destination is opened:
 *
 *   regular file        does not block on a reader
 *   socket              MSG_DONTWAIT; an inherited socket (journald) cannot be opened anew
 *   pipe, terminal      opened anew through /proc with O_NONBLOCK. fcntl would change the
 *                       description that other processes share: the application's print()
 *                       would fail with EAGAIN. A parent opens it anew after each fork, too:
 *                       the child could clear O_NONBLOCK on a shared description.
 *   ... not permitted   poll(2) first, and no more at once than a writable pipe surely takes
 *
 * A record from the background of a terminal with tostop must not stop the process: SIGTTOU is
 * blocked for the write. It is not ignored in the whole process, because programs that the
 * application executes would ignore it too.
 */
#include "base/log_file.h"

#include "base/mem.h"
#include "base/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum method { WRITE, SEND, POLL };

struct log_file {
    char *path; /* NULL: an inherited descriptor */
    int fd;
    int standard; /* the inherited descriptor */
    bool owned;   /* this module closes fd */
    bool terminal;
    bool journal; /* systemd's journal is at the other end */
    _Atomic(enum method) method;
    _Atomic bool regular;
    _Atomic int64_t checked; /* the second of the last comparison of the path with fd */
    struct log_gap *own_gap, *gap;
};

static bool is_regular(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

static bool is_socket(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

bool journal_is(int fd)
{
    char text[64];
    struct stat status;
    const char *stream = getenv("JOURNAL_STREAM");
    if (stream == NULL || fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
        return false;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)status.st_dev,
             (unsigned long long)status.st_ino);
    return strcmp(stream, text) == 0;
}

void journal_add(struct text *out, enum journal_priority priority, struct slice record)
{
    const char *at = record.data, *end = at + record.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *next = newline != NULL ? newline + 1 : end;
        text_printf(out, "<%d>", priority);
        text_add(out, at, (size_t)(next - at));
        at = next;
    }
}

/* The owner of files that root makes; 0: root. */
static uid_t belong_to;

/* Failure is silent here: a process that cannot open the file anew logs that itself. */
static void give_away(int fd)
{
    if (belong_to != 0 && geteuid() == 0 && fchown(fd, belong_to, (gid_t)-1) < 0)
        return;
}

/* Fails for a FIFO without a reader, and does not wait. */
static int open_path(const char *path)
{
    struct place place;
    bool made = false;
    if (place_follow(&place, path) < 0)
        return -1;
    int fd = place_open_or_make(&place, O_WRONLY | O_APPEND, 0640, &made);
    if (fd >= 0 && made && place_may_give(&place))
        give_away(fd);
    int error = errno;
    place_close(&place);
    errno = error;
    return fd;
}

void log_files_belong_to(uid_t user)
{
    belong_to = user;
}

/* Sets file->fd and its way of writing, for a descriptor that other code uses too. The log has a
 * duplicate: the application may close `standard`, or put another file there. */
static void adopt(struct log_file *file, int standard)
{
    file->fd = fcntl(standard, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    file->owned = file->fd >= 0;
    if (!file->owned)
        file->fd = standard;
    file->standard = standard;
    file->terminal = isatty(standard);
    if (is_regular(standard))
        return;
    if (is_socket(standard)) {
        file->method = SEND;
        file->journal = journal_is(standard);
        return;
    }
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", standard);
    int own = open(path, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (own >= 0 && file->owned) {
        dup3(own, file->fd, O_CLOEXEC);
        close(own);
    } else if (own >= 0) {
        file->fd = own;
        file->owned = true;
    } else {
        file->method = POLL;
    }
}

/* Whether the last line lacks its end: a process was killed in a record, perhaps before this
 * start. */
static bool is_torn(int fd)
{
    char path[64], last = '\n';
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int reader = open(path, O_RDONLY | O_CLOEXEC);
    if (reader < 0)
        return false;
    off_t size = lseek(reader, 0, SEEK_END);
    bool torn = size > 0 && pread(reader, &last, 1, size - 1) == 1 && last != '\n';
    close(reader);
    return torn;
}

static void note_kind(struct log_file *file)
{
    file->regular = is_regular(file->fd);
    file->gap->torn = file->regular && is_torn(file->fd);
}

struct log_file *log_file_open(const char *path, int standard)
{
    struct log_file *file = xcalloc(1, sizeof(*file));
    bool inherited = strcmp(path, "-") == 0;
    if (!inherited && (file->fd = open_path(path)) < 0) {
        free(file);
        return NULL;
    }
    file->gap = file->own_gap = xshared(sizeof(*file->gap));
    if (inherited) {
        adopt(file, standard);
        return file;
    }
    file->path = xstrdup(path);
    file->owned = true;
    note_kind(file);
    file->terminal = isatty(file->fd);
    return file;
}

/* A FIFO without a reader cannot be opened for writing alone (ENXIO). */
static int open_anew(int fd)
{
    enum { FLAGS = O_CLOEXEC | O_NONBLOCK | O_NOCTTY };
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int anew = open(path, O_WRONLY | FLAGS);
    return anew < 0 && errno == ENXIO ? open(path, O_RDWR | FLAGS) : anew;
}

void log_file_part(struct log_file *file)
{
    int error = errno;
    if (!file->owned || file->method != WRITE || is_regular(file->fd))
        return;
    int fd = open_anew(file->fd);
    if (fd >= 0) {
        dup3(fd, file->fd, O_CLOEXEC);
        close(fd);
    }
    errno = error;
}

int log_file_reopen(struct log_file *file)
{
    if (file->path == NULL)
        return 0;
    int fd = open_path(file->path);
    if (fd < 0)
        return -1;
    int result = dup3(fd, file->fd, O_CLOEXEC) < 0 ? -1 : 0;
    int error = errno;
    close(fd);
    note_kind(file);
    errno = error;
    return result;
}

void log_file_restore(struct log_file *file)
{
    if (file->path != NULL)
        log_file_reopen(file);
    else if (file->owned)
        dup3(file->standard, file->fd, O_CLOEXEC);
}

static bool was_moved(const struct log_file *file)
{
    struct stat named, open;
    if (fstat(file->fd, &open) < 0)
        return false;
    if (stat(file->path, &named) < 0)
        return errno == ENOENT;
    return named.st_dev != open.st_dev || named.st_ino != open.st_ino;
}

/* Compares the path with the file at most once a second, in the thread that comes first. When the
 * path cannot be opened, the old file stays in use until the next second's attempt. */
static void follow(struct log_file *file)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    int64_t last = file->checked;
    if (!file->regular || last == now.tv_sec ||
        !atomic_compare_exchange_strong(&file->checked, &last, (int64_t)now.tv_sec))
        return;
    if (was_moved(file))
        log_file_reopen(file);
}

static size_t write_polled(int fd, const char *data, size_t size)
{
    size_t done = 0;
    while (done < size) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (poll(&room, 1, 0) <= 0 || !(room.revents & POLLOUT))
            break;
        size_t piece = size - done < PIPE_BUF ? size - done : PIPE_BUF;
        ssize_t written = write(fd, data + done, piece);
        if (written <= 0)
            break;
        done += (size_t)written;
    }
    return done;
}

static size_t put_now(const struct log_file *file, const char *data, size_t size)
{
    ssize_t written;
    if (file->method == POLL)
        return write_polled(file->fd, data, size);
    do {
        written = file->method == SEND ? send(file->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                       : write(file->fd, data, size);
    } while (written < 0 && errno == EINTR);
    return written > 0 ? (size_t)written : 0;
}

/* Returns the number of bytes written; 0 on any failure, because there is no place left to report
 * it. */
static size_t put(const struct log_file *file, const char *data, size_t size)
{
    sigset_t stop, before;
    if (!file->terminal)
        return put_now(file, data, size);
    sigemptyset(&stop);
    sigaddset(&stop, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &stop, &before);
    size_t written = put_now(file, data, size);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

static void drop(struct log_file *file, uint64_t count, bool torn)
{
    file->gap->dropped += count;
    if (torn)
        file->gap->torn = 1;
}

static void add_record(struct text *out, const struct log_file *file, enum journal_priority priority,
                       struct slice record)
{
    if (file->journal)
        journal_add(out, priority, record);
    else
        text_add(out, record.data, record.size);
}

/* Uses the record's own format, so that a reader of JSON lines gets JSON. */
static void add_notice(struct text *out, const struct log_file *file, uint64_t dropped, bool json)
{
    char *notice =
        xasprintf("%s%llu log record%s dropped here%s\n", json ? "{\"message\":\"" : "",
                  (unsigned long long)dropped, dropped == 1 ? " was" : "s were", json ? "\"}" : "");
    add_record(out, file, PRIORITY_WARNING, slice_of(notice));
    free(notice);
}

/* Writes the notice of lost records and the record in one write. */
static void put_after_gap(struct log_file *file, enum journal_priority priority, struct slice record)
{
    struct text out;
    uint64_t dropped = atomic_exchange(&file->gap->dropped, 0);
    bool torn = atomic_exchange(&file->gap->torn, 0) != 0;
    text_init(&out);
    text_add(&out, "\n", torn ? 1 : 0);
    if (dropped > 0)
        add_notice(&out, file, dropped, record.size > 0 && record.data[0] == '{');
    size_t told = out.size;
    add_record(&out, file, priority, record);
    size_t written = put(file, out.data, out.size);
    if (written < told)
        drop(file, dropped + 1, written > 0 ? out.data[written - 1] != '\n' : torn);
    else if (written < out.size)
        drop(file, 1, out.data[written - 1] != '\n');
    text_fini(&out);
}

static void put_record(struct log_file *file, struct slice record)
{
    size_t written = put(file, record.data, record.size);
    if (written < record.size)
        drop(file, 1, written > 0 && record.data[written - 1] != '\n');
}

static void put_entries(struct log_file *file, enum journal_priority priority, struct slice record)
{
    struct text out;
    text_init(&out);
    journal_add(&out, priority, record);
    put_record(file, (struct slice){out.data, out.size});
    text_fini(&out);
}

void log_file_write(struct log_file *file, enum journal_priority priority, const char *record, size_t size)
{
    int error = errno;
    follow(file);
    if (file->gap->dropped > 0 || file->gap->torn != 0)
        put_after_gap(file, priority, (struct slice){record, size});
    else if (file->journal)
        put_entries(file, priority, (struct slice){record, size});
    else
        put_record(file, (struct slice){record, size});
    errno = error;
}

void log_file_share_gap(struct log_file *file, struct log_gap *gap)
{
    struct log_gap *before = file->gap;
    file->gap = gap != NULL ? gap : file->own_gap;
    if (file->gap != before)
        drop(file, atomic_exchange(&before->dropped, 0), atomic_exchange(&before->torn, 0) != 0);
}

void log_file_close(struct log_file *file)
{
    if (file == NULL)
        return;
    if (file->owned)
        close(file->fd);
    munmap(file->own_gap, sizeof(*file->own_gap));
    free(file->path);
    free(file);
}
