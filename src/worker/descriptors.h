/*
 * The descriptors that a worker or a zygote has from the master: whether each is still what it was.
 *
 * The application shares the process, and may close descriptors that are not its own
 * (os.closerange; libraries that daemonise). The kernel then takes such a descriptor off the event
 * loop without a word, and gives its number to the next file. The list of descriptors is the
 * process's own.
 */
#ifndef WORKER_DESCRIPTORS_H
#define WORKER_DESCRIPTORS_H

#include <stdbool.h>

#include "net/loop.h"
#include "worker/worker_setup.h"

/* Notes the open descriptors of the setup, and the channel on which the process hears from the
 * master. Forgets those of an earlier call. Call it before the application can close any. */
void descriptors_note(const struct worker_setup *setup, int channel);

/* True when all are what they were. False after a log record that names the first that is not;
 * `when` ends its sentence "... was closed or replaced". */
bool descriptors_check(const char *when);

/* While the process serves: checks the descriptors a moment after calls. When one is not what it
 * was, the process ends after a log record. Belongs to the thread that runs the loop. */
void descriptors_watch(struct loop *loop);
void descriptors_look(void); /* between two turns: plans the check when there have been calls */
void descriptors_unwatch(void);

#endif
