/* Threads of the server's own. */
#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

static sigset_t process_signals(void)
{
    static const int of_threads[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    sigset_t set;
    sigfillset(&set);
    for (size_t i = 0; i < sizeof(of_threads) / sizeof(of_threads[0]); i++)
        sigdelset(&set, of_threads[i]);
    for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
        sigdelset(&set, i);
    return set;
}

int thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
    sigset_t blocked = process_signals(), before;
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    int error = pthread_create(thread, NULL, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}
