/*
 * The descriptors that a process of ours has from the master: whether each of them is still what it was.
 *
 * The application shares the process, and may close what is not its own (os.closerange; libraries that daemonise). The kernel takes a
 * closed descriptor off the event loop without a word, and gives its number to the next file.
 */
#ifndef WORKER_DESCRIPTORS_H
#define WORKER_DESCRIPTORS_H

#include <stdbool.h>

#include "net/loop.h"
#include "worker/worker_setup.h"

/* Before the application can close any: notes what is open of the setup, and the channel on which the process hears from the master.
 * Forgets what was noted before. */
void descriptors_note(const struct worker_setup *setup, int channel);

/* True: all are what they were. False after a log record, which names the first that is not; `when` ends "... was closed or replaced". */
bool descriptors_check(const char *when);

/* While the process serves: a moment after calls they are looked at, and where one is not what it was the process ends, after a log
 * record. Belongs to the thread that runs the loop. */
void descriptors_watch(struct loop *loop);
void descriptors_look(void); /* between two turns: have there been calls? */
void descriptors_unwatch(void);

#endif
