/*
 * An errand: a child of the master that is no worker, does one thing, says something and ends. Nobody waits for it.
 */
#ifndef PROC_ERRAND_H
#define PROC_ERRAND_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/text.h"

/* Of what it says; the rest is read, and forgotten. */
enum { ERRAND_WORDS_MAX = 1 << 20 };

struct errand {
    pid_t pid; /* 0: it is not under way */
    bool late; /* it was killed for taking too long */
    struct event *deadline, *says;
    int fd;
    struct text words;
};

void errand_init(struct errand *errand, struct event_base *base);
/* Kills it if it is under way: then it ends as any stranger's child does. */
void errand_fini(struct errand *errand);

/* Forks it: the child runs `go`, without any signal blocked, which ends the process; `out` is where it speaks. It dies with its parent.
 * After `timeout_ms` it is killed, with all processes that it has started; 0: never. 0, or -1 and errno. */
int errand_start(struct errand *errand, uint64_t timeout_ms, void (*go)(void *context, int out),
                 void *context);
/* A child has ended: true when it was this one, whose words are then all there. */
bool errand_ended(struct errand *errand, pid_t pid);
/* They are not needed any more; or it is not, and is killed. */
void errand_forget(struct errand *errand);

#endif
