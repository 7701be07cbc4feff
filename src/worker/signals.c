/* A worker's signals, and what happens to them in a process that the application forks. */
#include "worker/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/exit_status.h"
#include "base/log.h"
#include "base/standard_fds.h"
#include "py/interp.h"
#include "py/stack.h"

const int stop_signals[STOP_SIGNALS] = {SIGTERM, SIGINT, SIGQUIT};

static void set_handler(int signal, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void leave_at_once(int signal)
{
    (void)signal;
    _exit(EXIT_STOPPED);
}

static void ignore(int signal)
{
    (void)signal;
}

/* The application's own handlers stay. Signals wait until ours are reset, since one may be sent
 * before the child's first step. */
static struct {
    struct sigaction ours[STOP_SIGNALS];
    sigset_t mask; /* before the fork */
    const struct worker_setup *setup;
    const struct loop *loop; /* NULL until it is open */
} around_fork;

/* Set from signals_hold to its end, in the thread that is about to fork. Other threads may fork
 * for themselves. */
static _Thread_local bool forks_worker;
static sigset_t mask_before_hold;

static void before_fork(void)
{
    sigset_t stops;
    sigemptyset(&stops);
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&stops, stop_signals[i]);
    pthread_sigmask(SIG_BLOCK, &stops, &around_fork.mask);
}

static void after_fork_in_parent(void)
{
    pthread_sigmask(SIG_SETMASK, &around_fork.mask, NULL);
}

/* A child that lives longer than the service must not keep the port. */
static void close_listeners(const struct worker_setup *setup)
{
    for (size_t i = 0; i < setup->address_count; i++) {
        for (unsigned slot = 0; slot < setup->addresses[i].slots; slot++)
            close(setup->addresses[i].sockets[slot]);
        if (setup->addresses[i].previous > 0)
            close(setup->addresses[i].previous);
    }
}

static void let_go(void)
{
    close_listeners(around_fork.setup);
    dup2(STDERR_FILENO, around_fork.setup->crash_pipe); /* a crash there is not the worker's end */
    log_copy_errors_to(-1);
    if (around_fork.loop != NULL)
        loop_close_in_child(around_fork.loop);
    for (int i = 0; i < STOP_SIGNALS; i++) {
        struct sigaction now;
        if (sigaction(stop_signals[i], NULL, &now) == 0 && now.sa_handler == around_fork.ours[i].sa_handler)
            signal(stop_signals[i], SIG_DFL);
    }
}

static void after_fork_in_child(void)
{
    if (!forks_worker)
        let_go();
    pthread_sigmask(SIG_SETMASK, &around_fork.mask, NULL);
}

static void remember_handlers(void)
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaction(stop_signals[i], NULL, &around_fork.ours[i]);
}

static void handle_stops(void (*handler)(int))
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        set_handler(stop_signals[i], handler);
    remember_handlers();
}

/* No request is in flight while the application is imported: any signal to stop ends the
 * process. SIGINT must not be at its default, or importing the signal module would install
 * Python's own handler. */
void signals_for_boot(const struct worker_setup *setup)
{
    sigset_t none;
    around_fork.setup = setup;
    handle_stops(leave_at_once);
    set_handler(SIGCHLD, SIG_DFL);
    /* Not SIG_IGN, which the application's children would inherit. */
    set_handler(SIGHUP, ignore);
    set_handler(SIGUSR1, ignore);
    /* The application's children inherit what is ignored or blocked. See base/log_file.c for log
     * records. */
    signal(SIGTTIN, SIG_DFL);
    signal(SIGTTOU, SIG_DFL);
    set_handler(STACKS_SIGNAL, ignore);
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

void signals_for_zygote(void)
{
    handle_stops(ignore);
}

void signals_hold(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask_before_hold);
    forks_worker = true;
}

void signals_release(void)
{
    forks_worker = false;
    pthread_sigmask(SIG_SETMASK, &mask_before_hold, NULL);
}

/* The other handlers are those that the application has installed while it was imported. */
void signals_for_worker(const struct worker_setup *setup)
{
    around_fork.setup = setup;
    handle_stops(leave_at_once);
    signals_release();
}

/* The signals that a worker needs besides those to stop. Their handlers are Python's, for
 * stacks. */
static struct sigaction stack_handlers[2];

static int stack_signal(int i)
{
    return i == 0 ? STACK_SIGNAL : STACKS_SIGNAL;
}

/* Unblocks them for the calling thread, and so for threads that it starts. True when one was
 * blocked. */
static bool unblock(void)
{
    sigset_t ours, before;
    bool any = false;
    sigemptyset(&ours);
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaddset(&ours, stop_signals[i]);
    for (int i = 0; i < 2; i++)
        sigaddset(&ours, stack_signal(i));
    pthread_sigmask(SIG_UNBLOCK, &ours, &before);
    for (int i = 0; i < STOP_SIGNALS; i++)
        any |= sigismember(&before, stop_signals[i]) == 1;
    return any;
}

void signals_are_the_loops(const struct loop *loop)
{
    remember_handlers();
    unblock();
    for (int i = 0; i < 2; i++)
        sigaction(stack_signal(i), NULL, &stack_handlers[i]);
    around_fork.loop = loop;
}

/* Puts back a handler. True when another one was there. */
static bool put_back(int signal, const struct sigaction *ours)
{
    struct sigaction now;
    return sigaction(signal, NULL, &now) == 0 && now.sa_handler != ours->sa_handler &&
           sigaction(signal, ours, NULL) == 0;
}

void signals_put_back(void *unused)
{
    (void)unused;
    static atomic_flag told = ATOMIC_FLAG_INIT;
    bool any = false;
    interp_reclaim_signal_fd();
    if (around_fork.loop == NULL)
        return;
    for (int i = 0; i < STOP_SIGNALS; i++)
        any |= put_back(stop_signals[i], &around_fork.ours[i]);
    for (int i = 0; i < 2; i++)
        any |= put_back(stack_signal(i), &stack_handlers[i]);
    any |= unblock();
    if (any && !atomic_flag_test_and_set(&told))
        log_warning("a call of the application has changed what signals to this worker do (asyncio's "
                    "add_signal_handler, signal.signal, or signal.pthread_sigmask); after each such call the "
                    "worker's own handlers for "
                    "TERM, INT and QUIT are put back");
}

static int hurry_fd = -1;

static void hurry(int signal)
{
    static const uint64_t one = 1;
    int saved = errno;
    (void)signal;
    if (write(hurry_fd, &one, sizeof(one)) < 0)
        ignore(signal);
    errno = saved;
}

int signals_for_the_end(void)
{
    hurry_fd = fd_above_standard(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    for (int i = 0; i < STOP_SIGNALS; i++)
        set_handler(stop_signals[i], hurry_fd < 0 || stop_signals[i] == SIGTERM ? ignore : hurry);
    remember_handlers();
    return hurry_fd;
}
