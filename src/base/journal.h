/*
 * systemd's journal at the other end of a descriptor: it makes an entry of each line, and takes a line's priority from its
 * beginning (sd-daemon(3)).
 */
#ifndef BASE_JOURNAL_H
#define BASE_JOURNAL_H

#include <stdbool.h>

#include "base/slice.h"
#include "base/text.h"

/* syslog's */
enum journal_priority {
    PRIORITY_CRITICAL = 2,
    PRIORITY_ERROR = 3,
    PRIORITY_WARNING = 4,
    PRIORITY_INFO = 6,
    PRIORITY_DEBUG = 7,
};

/* It is the socket that $JOURNAL_STREAM names (systemd.exec(5)). Who has only inherited the variable has another one there. */
bool journal_is(int fd);

/* Each line of the record with the priority before it: none can say another. */
void journal_add(struct text *out, enum journal_priority priority, struct slice record);

#endif
