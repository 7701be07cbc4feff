/*
 * Forks of a process in which Python runs. A fork of the application makes a child that belongs to
 * the application. A fork of ours (preload/) makes a process that continues with a copy of the
 * interpreter. No Python.h: app/ and proc/ include this header.
 */
#ifndef PY_PYTHON_FORK_H
#define PY_PYTHON_FORK_H

#include <stdatomic.h>
#include <stdbool.h>

/* Records each fork from now on; once. 0, or an errno value. */
int python_fork_watch(void);

/* True in a process that the application forked: it must never run the event loop, and ends with
 * _exit. Any thread. */
bool python_is_fork(void);
/* True from the first fork on: children may hold our descriptors. Any thread. */
const atomic_bool *python_has_forked(void);

/*
 * Called around a fork that makes a process of ours. The child continues with a copy of the
 * interpreter, and the forking thread as its main thread. Functions of os.register_at_fork run;
 * locks and random numbers are made anew. Only for a process with one thread, GIL held.
 */
void python_fork_before(void);
void python_fork_after_in_parent(void);
void python_fork_after_in_child(void);

#endif
