/* The access log: a file, and the format of its lines. */
#include "access/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "access/format.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "base/place.h"
#include "net/exchange.h"

struct access_log {
    struct log_file *file;
    struct access_format *format;
};

struct access_log *access_log_open(const char *path, const char *format, char *message, size_t message_size)
{
    struct access_log *log = xcalloc(1, sizeof(*log));
    log->format = access_format_new(format, message, message_size);
    if (log->format == NULL) {
        access_log_free(log);
        return NULL;
    }
    log->file = log_file_open(path, STDOUT_FILENO);
    if (log->file == NULL) {
        snprintf(message, message_size, "gateway: --access-logfile: %s cannot be opened for writing: %s",
                 path, place_strerror(errno));
        access_log_free(log);
        return NULL;
    }
    return log;
}

void access_log_identify(struct access_log *log, unsigned worker)
{
    access_format_identify(log->format, worker);
}

void access_log_write(void *context, const struct exchange *exchange)
{
    struct access_log *log = context;
    struct slice line = access_format_line(log->format, exchange, exchange->duration_ns);
    log_file_write(log->file, PRIORITY_INFO, line.data, line.size);
}

int access_log_reopen(struct access_log *log)
{
    return log_file_reopen(log->file);
}

void access_log_share_gap(struct access_log *log, struct log_gap *gap)
{
    if (log != NULL)
        log_file_share_gap(log->file, gap);
}

void access_log_free(struct access_log *log)
{
    if (log == NULL)
        return;
    log_file_close(log->file);
    access_format_free(log->format);
    free(log);
}
