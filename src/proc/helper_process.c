/* A child of the master that does one thing, writes its result and ends. */
#include "proc/helper_process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "proc/fork.h"
#include "proc/resources.h"

/* The most generations between a helper process and a process that it has started; and rounds,
 * since more may start meanwhile. */
enum { DEPTH_MAX = 64, ROUNDS = 4 };

static bool descends(pid_t pid, pid_t ancestor)
{
    for (int depth = 0; depth < DEPTH_MAX && pid > 1 && pid != ancestor; depth++)
        pid = process_stat_read(pid).parent;
    return pid == ancestor;
}

/* Uses a descriptor, which leads to no other process if this one ends meanwhile. */
static void kill_if_descends(pid_t pid, pid_t ancestor)
{
    int process = (int)syscall(SYS_pidfd_open, pid, 0);
    if (process < 0)
        return;
    if (descends(pid, ancestor))
        syscall(SYS_pidfd_send_signal, process, SIGKILL, NULL, 0);
    close(process);
}

static void kill_descendants(pid_t ancestor)
{
    DIR *directory = opendir("/proc");
    const struct dirent *entry;
    if (directory == NULL)
        return;
    while ((entry = readdir(directory)) != NULL) {
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 1 && pid != ancestor)
            kill_if_descends(pid, ancestor);
    }
    closedir(directory);
}

/* Kills the helper with all processes that it has started, also in sessions of their own: the
 * helper is their reaper (see be_child). */
static void kill_family(pid_t pid)
{
    kill(pid, SIGSTOP);
    for (int round = 0; round < ROUNDS; round++)
        kill_descendants(pid);
    kill(pid, SIGKILL);
}

static void is_late(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct helper_process *helper = arg;
    helper->late = true;
    kill_family(helper->pid);
}

/* A helper process that never stops writing is read again in the next turn, up to its limit. */
static void hear(struct helper_process *helper)
{
    char block[4096];
    ssize_t n = -1;
    for (size_t i = 0; i < HELPER_OUTPUT_MAX / sizeof(block); i++) {
        if ((n = read(helper->fd, block, sizeof(block))) <= 0)
            break;
        size_t room = HELPER_OUTPUT_MAX - helper->words.size;
        text_add(&helper->words, block, (size_t)n < room ? (size_t)n : room);
    }
    if (n == 0)
        event_del(helper->says);
}

static void says_something(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    hear(arg);
}

void helper_init(struct helper_process *helper, struct event_base *base)
{
    *helper = (struct helper_process){.fd = -1};
    helper->deadline = evtimer_new(base, is_late, helper);
    helper->says = event_new(base, -1, EV_READ | EV_PERSIST, says_something, helper);
    text_init(&helper->words);
}

void helper_fini(struct helper_process *helper)
{
    helper_forget(helper);
    event_free(helper->deadline);
    event_free(helper->says);
    text_fini(&helper->words);
}

static void __attribute__((noreturn))
be_child(void (*go)(void *context, int out), void *context, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    fork_dies_with(parent);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* its descendants stay its own; execve(2) keeps that */
    sigprocmask(SIG_SETMASK, &none, NULL);
    go(context, out);
    _exit(EXIT_FAILURE_RUNTIME);
}

int helper_start(struct helper_process *helper, uint64_t timeout_ms, void (*go)(void *context, int out),
                 void *context)
{
    int ends[2];
    pid_t parent = getpid();
    struct timeval tv = clock_timeval(timeout_ms);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    helper->pid = fork_quietly();
    if (helper->pid == 0)
        be_child(go, context, ends[1], parent);
    int error = errno;
    close(ends[1]);
    if (helper->pid < 0) {
        close(ends[0]);
        helper->pid = 0;
        errno = error;
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    helper->fd = ends[0];
    helper->late = false;
    event_assign(helper->says, event_get_base(helper->deadline), helper->fd, EV_READ | EV_PERSIST,
                 says_something, helper);
    event_add(helper->says, NULL);
    if (timeout_ms > 0)
        event_add(helper->deadline, &tv);
    return 0;
}

bool helper_ended(struct helper_process *helper, pid_t pid)
{
    if (helper->pid == 0 || helper->pid != pid)
        return false;
    hear(helper);
    event_del(helper->says);
    event_del(helper->deadline);
    close(helper->fd);
    helper->fd = -1;
    helper->pid = 0;
    return true;
}

void helper_forget(struct helper_process *helper)
{
    if (helper->pid != 0) {
        kill_family(helper->pid);
        helper_ended(helper, helper->pid);
    }
    text_fini(&helper->words);
    text_init(&helper->words);
}
