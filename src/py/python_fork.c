/* Forks of a process in which Python runs. */
#include "py/compat.h"

#include "py/python_fork.h"

#include <pthread.h>

/* State of this process, set by the fork handlers. */
static atomic_bool is_fork, has_forked;

static void note_in_parent(void)
{
    atomic_store_explicit(&has_forked, true, memory_order_relaxed);
}

static void note_in_child(void)
{
    atomic_store_explicit(&is_fork, true, memory_order_relaxed);
}

int python_fork_watch(void)
{
    return pthread_atfork(NULL, note_in_parent, note_in_child);
}

bool python_is_fork(void)
{
    return atomic_load_explicit(&is_fork, memory_order_relaxed);
}

const atomic_bool *python_has_forked(void)
{
    return &has_forked;
}

void python_fork_before(void)
{
    PyOS_BeforeFork();
}

void python_fork_after_in_parent(void)
{
    PyOS_AfterFork_Parent();
}

/* Resets the notes of the fork handlers, which are about the application's forks only. */
void python_fork_after_in_child(void)
{
    atomic_store_explicit(&is_fork, false, memory_order_relaxed);
    atomic_store_explicit(&has_forked, false, memory_order_relaxed);
    PyOS_AfterFork_Child();
}
