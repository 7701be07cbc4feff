/* The end of Python in a process, which a thread watches. */
#include "proc/python_end.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "proc/logs.h"
#include "proc/worker_channel.h"
#include "py/interp.h"
#include "py/python_fork.h"
#include "py/stack.h"

/* The wait for the stacks: a signal must reach the thread, and its handler write them. */
enum { STACK_TRIES = 20, STACK_MS = 20, STACKS_MAX = 32768 };

/* The end of the process, of which there is one. */
static struct {
    struct python_end limits; /* of the watching thread */
    uint64_t begun_ms;
    pthread_t thread; /* the thread that ends Python */
    bool hurried;     /* of the watching thread */
    atomic_flag over; /* set by the first of the two threads that reaches its end */
} end = {.over = ATOMIC_FLAG_INIT};

uint64_t python_end_quick_ms(const struct options *options)
{
    uint64_t most = options->reload ? PYTHON_END_LEAST_MS : PYTHON_END_QUICK_MS;
    uint64_t graceful = (uint64_t)options->graceful_timeout;
    return graceful < most ? graceful : most;
}

static size_t take_stacks(char *stacks, size_t room)
{
    static const struct timespec pause = {.tv_nsec = STACK_MS * 1000000};
    size_t size = 0;
    stack_request(end.thread);
    for (int i = 0; i < STACK_TRIES && size == 0; i++) {
        nanosleep(&pause, NULL);
        size = stack_receive(stacks, room);
    }
    return size;
}

static void cut(void)
{
    static char stacks[STACKS_MAX];
    if (atomic_flag_test_and_set(&end.over))
        return;
    size_t size = take_stacks(stacks, sizeof(stacks));
    log_block(LOG_WARNING, stacks, size,
              "Python has not ended within %.1f s, and is cut: a thread, a job of an executor or an atexit "
              "function of the application still runs%s; atexit functions may not have run, and what is "
              "buffered may be lost",
              (double)(clock_ms() - end.begun_ms) / 1000, size > 0 ? "" : " (its stack cannot be had)");
    _exit(end.limits.status);
}

static void shorten(uint64_t ms)
{
    uint64_t deadline = clock_ms() + ms;
    if (deadline < end.limits.deadline_ms)
        end.limits.deadline_ms = deadline;
}

static void read_messages(void)
{
    enum message_kind kind;
    pid_t pid;
    int r;
    while ((r = worker_channel_receive(end.limits.channel, &kind, &pid)) > 0) {
        if (pid == getpid() && kind == MESSAGE_QUIT)
            shorten(end.limits.quick_ms);
        else if (pid == getpid() && kind == MESSAGE_REOPEN)
            logs_reopen(NULL);
    }
    if (r < 0)
        end.limits.channel = -1; /* the master is gone */
}

static void hurry(void)
{
    uint64_t count;
    if (read(end.limits.hurry, &count, sizeof(count)) < 0)
        return;
    shorten(end.hurried ? 0 : end.limits.quick_ms);
    end.hurried = true;
}

/* Watches until the deadline, which messages and signals may move. */
static void *watch(void *nothing)
{
    uint64_t now;
    while ((now = clock_ms()) < end.limits.deadline_ms) {
        struct pollfd news[] = {{.fd = end.limits.channel, .events = POLLIN},
                                {.fd = end.limits.hurry, .events = POLLIN}};
        poll(news, 2, (int)(end.limits.deadline_ms - now));
        if (news[0].revents != 0)
            read_messages();
        if (news[1].revents != 0)
            hurry();
    }
    cut();
    return nothing;
}

void python_end_begin(const struct python_end *limits)
{
    pthread_t thread;
    end.limits = *limits;
    end.thread = pthread_self();
    end.begun_ms = clock_ms();
    if (end.limits.deadline_ms < end.begun_ms + PYTHON_END_LEAST_MS)
        end.limits.deadline_ms = end.begun_ms + PYTHON_END_LEAST_MS;
    int error = thread_start(&thread, watch, NULL);
    if (error == 0)
        pthread_detach(thread);
    else
        log_warning("the end of Python is not watched, its thread cannot be started: %s", strerror(error));
}

/* A process that an atexit function has forked comes here too, and has no watching thread. */
void python_end_finish(void)
{
    static const struct timespec long_enough = {.tv_sec = 60};
    stack_of_all_threads();
    interp_stop();
    if (!python_is_fork() && atomic_flag_test_and_set(&end.over))
        nanosleep(&long_enough, NULL); /* the other thread is about to end the process */
}

void python_end_alone(struct application *application, int status, uint64_t ms)
{
    const struct python_end limits = {
        .status = status, .deadline_ms = clock_ms() + ms, .channel = -1, .hurry = -1};
    python_end_begin(&limits);
    application_free(application);
    python_end_finish();
}
