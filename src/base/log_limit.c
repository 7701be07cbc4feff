/* Records that are limited. */
#include "base/log_limit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

static const char *const names[LOG_SUBJECTS] = {
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
    _Atomic uint64_t since_ms; /* 0: none has begun */
    _Atomic uint64_t records;  /* in it, written or not */
    _Atomic uint64_t untold;   /* not written since the last count was */
};

static struct interval own[LOG_SUBJECTS], *intervals = own;

void log_limit_open(void)
{
    if (intervals == own)
        intervals = xshared(sizeof(own));
}

static bool is_over(const struct interval *interval, uint64_t now)
{
    uint64_t since = interval->since_ms;
    return since == 0 || now < since || now - since >= LOG_LIMIT_MS;
}

static void tell(enum log_subject subject)
{
    uint64_t count = atomic_exchange(&intervals[subject].untold, 0);
    if (count > 0)
        log_warning("%" PRIu64 " more record%s not shown: %s", count, count == 1 ? " is" : "s are",
                    names[subject]);
}

/* Two processes at the same moment may both begin it: then a few records more are written. */
static bool may_write(struct interval *interval, uint64_t now)
{
    if (is_over(interval, now)) {
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
    if (!log_enabled(level) || !may_write(&intervals[subject], clock_ms()))
        return;
    errno = error; /* for %m, and for the caller */
    text_init(&text);
    va_start(args, format);
    text_vprintf(&text, format, args);
    va_end(args);
    log_write(level, "%.*s", (int)text.size, text.data);
    text_fini(&text);
    if (intervals[subject].records <= 1)
        tell(subject);
    errno = error;
}

void log_limit_tell(bool all)
{
    uint64_t now = clock_ms();
    for (int subject = 0; subject < LOG_SUBJECTS; subject++)
        if (intervals[subject].untold > 0 && (all || is_over(&intervals[subject], now)))
            tell((enum log_subject)subject);
}
