/*
 * Threads of our own.
 */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/* Signals to the process stay with the threads that were there; what a fault raises, and what is sent to one thread, is that
 * thread's. 0, or an errno value. */
int thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

#endif
