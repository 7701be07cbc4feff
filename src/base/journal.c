/* systemd's journal. */
#include "base/journal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
