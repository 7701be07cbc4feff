/*
 * Threads of the server's own, beside those of the application.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Starts a thread. Signals to the process stay with the other threads. The thread takes only
 * signals of its own faults, and signals sent to it alone. 0, or an errno value. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
