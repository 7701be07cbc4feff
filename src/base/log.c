/*
 * The error log: levels, identity, time stamps, and the two formats of a record. log_file writes
 * it.
 */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <locale.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log_file.h"
#include "base/mem.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/timestamp.h"

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug", [LOG_INFO] = "info",         [LOG_WARNING] = "warning",
    [LOG_ERROR] = "error", [LOG_CRITICAL] = "critical",
};

static const enum journal_priority level_priorities[] = {
    [LOG_DEBUG] = PRIORITY_DEBUG, [LOG_INFO] = PRIORITY_INFO,         [LOG_WARNING] = PRIORITY_WARNING,
    [LOG_ERROR] = PRIORITY_ERROR, [LOG_CRITICAL] = PRIORITY_CRITICAL,
};

/* Colours for a terminal. A level without an entry is as plain as the rest of the line. */
static const char *const level_colours[] = {
    [LOG_DEBUG] = "\x1b[2m",
    [LOG_WARNING] = "\x1b[33m",
    [LOG_ERROR] = "\x1b[31m",
    [LOG_CRITICAL] = "\x1b[1;31m",
};

/* The log of this process. A process counts as the master until it calls log_identify. */
static struct {
    struct log_file *file; /* NULL before log_open */
    struct log_gap *gap;   /* NULL: the gap that the file itself owns */
    enum log_level level;
    bool json;
    bool coloured;
    _Atomic int copy; /* descriptor for copies of errors; -1: none */
    char process[32];
} process_log = {.level = LOG_INFO, .copy = -1, .process = "master"};

/* Colour is for people: https://no-color.org/ */
static bool is_coloured(const struct log_options *options)
{
    const char *refused = getenv("NO_COLOR"), *terminal = getenv("TERM");
    return !options->json && strcmp(options->path, "-") == 0 && isatty(STDERR_FILENO) &&
           (refused == NULL || refused[0] == '\0') && terminal != NULL && strcmp(terminal, "dumb") != 0;
}

int log_open(const struct log_options *options)
{
    struct log_file *file = log_file_open(options->path, STDERR_FILENO);
    if (file == NULL)
        return -1;
    log_file_share_gap(file, process_log.gap);
    log_file_close(process_log.file);
    process_log.file = file;
    process_log.level = options->level;
    process_log.json = options->json;
    process_log.coloured = is_coloured(options);
    return 0;
}

int log_reopen(void)
{
    return process_log.file == NULL ? 0 : log_file_reopen(process_log.file);
}

void log_share_gap(struct log_gap *gap)
{
    process_log.gap = gap;
    if (process_log.file != NULL)
        log_file_share_gap(process_log.file, gap);
}

void log_restore(void)
{
    if (process_log.file != NULL)
        log_file_restore(process_log.file);
}

void log_part(void)
{
    if (process_log.file != NULL)
        log_file_part(process_log.file);
}

void log_identify(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(process_log.process, sizeof(process_log.process), format, args);
    va_end(args);
}

bool log_enabled(enum log_level level)
{
    return level >= process_log.level;
}

void log_copy_errors_to(int fd)
{
    process_log.copy = fd;
}

static bool is_copied(enum log_level level)
{
    return level >= LOG_ERROR && process_log.copy >= 0;
}

static void add_time(struct text *record)
{
    struct timespec now;
    char time[TIMESTAMP_SIZE];
    clock_gettime(CLOCK_REALTIME, &now);
    text_add(record, time, timestamp_iso(time, &now));
}

static void add_text(struct text *record, const struct text *message, struct slice block)
{
    text_add_plain(record, message->data, message->size, false);
    if (block.size > 0) {
        text_add(record, "\n", 1);
        text_add_plain(record, block.data, block.size, true);
    }
}

static void add_text_record(struct text *record, enum log_level level, const struct text *message,
                            struct slice block)
{
    add_time(record);
    const char *colour = process_log.coloured ? level_colours[level] : NULL;
    text_printf(record, " [%d] [%s] %s%s%s: ", (int)getpid(), process_log.process,
                colour != NULL ? colour : "", level_names[level], colour != NULL ? "\x1b[0m" : "");
    add_text(record, message, block);
}

static void add_json_record(struct text *record, enum log_level level, const struct text *message,
                            struct slice block)
{
    text_printf(record, "{\"time\":\"");
    add_time(record);
    text_printf(record, "\",\"level\":\"%s\",\"pid\":%d,\"process\":\"", level_names[level], (int)getpid());
    text_add_json(record, process_log.process, strlen(process_log.process));
    text_printf(record, "\",\"message\":\"");
    text_add_json(record, message->data, message->size);
    if (block.size > 0) {
        text_add_json(record, "\n", 1);
        text_add_json(record, block.data, block.size);
    }
    text_add(record, "\"}", 2);
}

static void write_to(int fd, const struct text *record)
{
    ssize_t written = write(fd, record->data, record->size);
    (void)written;
}

/* For records before log_open. */
static void write_to_standard_error(enum journal_priority priority, struct slice record)
{
    struct text out;
    text_init(&out);
    if (journal_is(STDERR_FILENO))
        journal_add(&out, priority, record);
    else
        text_add(&out, record.data, record.size);
    write_to(STDERR_FILENO, &out);
    text_fini(&out);
}

static void write_copy(const struct text *message, struct slice block)
{
    struct text copy;
    text_init(&copy);
    add_text(&copy, message, block);
    text_add(&copy, "\n", 1);
    write_to(process_log.copy, &copy);
    text_fini(&copy);
}

/* Formats numbers with a point in any locale: the application's setlocale applies to the whole
 * process. */
static void format_plainly(struct text *message, const char *format, va_list args)
{
    locale_t plain =
        newlocale(LC_ALL_MASK, "C", (locale_t)0); /* the C library's own object: it allocates nothing */
    locale_t before = plain != (locale_t)0 ? uselocale(plain) : (locale_t)0;
    text_vprintf(message, format, args);
    if (before != (locale_t)0)
        uselocale(before);
}

static void write_message(enum log_level level, const struct text *message, struct slice block)
{
    struct text record;
    text_init(&record);
    if (process_log.json)
        add_json_record(&record, level, message, block);
    else
        add_text_record(&record, level, message, block);
    text_add(&record, "\n", 1);
    if (process_log.file != NULL)
        log_file_write(process_log.file, level_priorities[level], record.data, record.size);
    else
        write_to_standard_error(level_priorities[level], (struct slice){record.data, record.size});
    text_fini(&record);
}

static void write_record(enum log_level level, struct slice block, const char *format, va_list args)
{
    int error = errno;
    struct text message;
    text_init(&message);
    format_plainly(&message, format, args);
    if (log_enabled(level))
        write_message(level, &message, block);
    if (is_copied(level))
        write_copy(&message, block);
    text_fini(&message);
    errno = error;
}

void log_write(enum log_level level, const char *format, ...)
{
    if (!log_enabled(level) && !is_copied(level))
        return;
    va_list args;
    va_start(args, format);
    write_record(level, (struct slice){NULL, 0}, format, args);
    va_end(args);
}

void log_block(enum log_level level, const char *block, size_t size, const char *format, ...)
{
    if (!log_enabled(level) && !is_copied(level))
        return;
    if (size > 0 && block[size - 1] == '\n')
        size--;
    va_list args;
    va_start(args, format);
    write_record(level, (struct slice){block, size}, format, args);
    va_end(args);
}

void log_complain(const char *sentence)
{
    struct text record;
    text_init(&record);
    text_printf(&record, "%s\n", sentence);
    write_to_standard_error(PRIORITY_ERROR, (struct slice){record.data, record.size});
    text_fini(&record);
}

static const char *const subject_names[LOG_SUBJECTS] = {
    [LOG_ANSWER_SPOOL] = "answers that could not be kept for slow clients",
    [LOG_BODY_SPOOL] = "request bodies that could not be kept",
    [LOG_FILE] = "files that could not be sent",
    [LOG_LIBEVENT] = "what libevent says",
    [LOG_PARCEL] = "connections from other workers that are lost",
    [LOG_PARCELS_WAIT] = "connections from other workers that wait",
    [LOG_PROXY_HEADER] = "connections without a header of --proxy-protocol",
    [LOG_REFUSED_WORKER] = "workers that the master has no place for",
};

struct interval {
    _Atomic uint64_t since_ms; /* 0: no interval has begun */
    _Atomic uint64_t records;  /* in the interval, written or not */
    _Atomic uint64_t untold;   /* left out since the last notice */
};

static struct interval own_intervals[LOG_SUBJECTS], *intervals = own_intervals;

void log_limit_open(void)
{
    if (intervals == own_intervals)
        intervals = xshared(sizeof(own_intervals));
}

static bool interval_is_over(const struct interval *interval, uint64_t now)
{
    uint64_t since = interval->since_ms;
    return since == 0 || now < since || now - since >= LOG_LIMIT_MS;
}

static void tell_untold(enum log_subject subject)
{
    uint64_t count = atomic_exchange(&intervals[subject].untold, 0);
    if (count > 0)
        log_warning("%" PRIu64 " more record%s not shown: %s", count, count == 1 ? " is" : "s are",
                    subject_names[subject]);
}

/* Two processes may begin the same interval at once: then a few more records are written. */
static bool interval_admits(struct interval *interval, uint64_t now)
{
    if (interval_is_over(interval, now)) {
        interval->since_ms = now;
        interval->records = 0;
    }
    if (atomic_fetch_add(&interval->records, 1) < LOG_LIMIT_RECORDS)
        return true;
    atomic_fetch_add(&interval->untold, 1);
    return false;
}

void log_limited(enum log_subject subject, enum log_level level, const char *format, ...)
{
    struct text text;
    va_list args;
    int error = errno;
    if (!log_enabled(level) || !interval_admits(&intervals[subject], clock_ms()))
        return;
    errno = error; /* for %m, and for the caller */
    text_init(&text);
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    log_write(level, "%.*s", (int)text.size, text.data);
    text_fini(&text);
    if (intervals[subject].records <= 1)
        tell_untold(subject);
    errno = error;
}

void log_limit_tell(bool all)
{
    uint64_t now = clock_ms();
    for (int subject = 0; subject < LOG_SUBJECTS; subject++)
        if (intervals[subject].untold > 0 && (all || interval_is_over(&intervals[subject], now)))
            tell_untold((enum log_subject)subject);
}
