/* A child of the master that does one thing, says something and ends. */
#include "proc/errand.h"

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

/* Generations between an errand and a process that it has started, at most; rounds in which more may start. */
enum { DEPTH_MAX = 64, ROUNDS = 4 };

/* From /proc/PID/stat, behind the program's name, which may contain any byte. 0: there is no such process. */
static pid_t parent_of(pid_t pid)
{
    char path[64], text[512];
    int parent = 0;
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    const char *end = strrchr(text, ')');
    return end != NULL && sscanf(end, ") %*c %d", &parent) == 1 ? parent : 0;
}

static bool descends(pid_t pid, pid_t ancestor)
{
    for (int depth = 0; depth < DEPTH_MAX && pid > 1 && pid != ancestor; depth++)
        pid = parent_of(pid);
    return pid == ancestor;
}

/* By a descriptor, which leads to no other process if this one ends meanwhile. */
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

/* With all that it has started, also in sessions of their own: it is their reaper (see be_child). */
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
    struct errand *errand = arg;
    errand->late = true;
    kill_family(errand->pid);
}

/* An errand that never stops sending is heard again in the next turn, or not at all. */
static void hear(struct errand *errand)
{
    char block[4096];
    ssize_t n = -1;
    for (size_t i = 0; i < ERRAND_WORDS_MAX / sizeof(block); i++) {
        if ((n = read(errand->fd, block, sizeof(block))) <= 0)
            break;
        size_t room = ERRAND_WORDS_MAX - errand->words.size;
        text_add(&errand->words, block, (size_t)n < room ? (size_t)n : room);
    }
    if (n == 0)
        event_del(errand->says);
}

static void says_something(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    hear(arg);
}

void errand_init(struct errand *errand, struct event_base *base)
{
    *errand = (struct errand){.fd = -1};
    errand->deadline = evtimer_new(base, is_late, errand);
    errand->says = event_new(base, -1, EV_READ | EV_PERSIST, says_something, errand);
    text_init(&errand->words);
}

void errand_fini(struct errand *errand)
{
    errand_forget(errand);
    event_free(errand->deadline);
    event_free(errand->says);
    text_fini(&errand->words);
}

static void __attribute__((noreturn))
be_child(void (*go)(void *context, int out), void *context, int out, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    fork_dies_with(parent);
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* its descendants stay its own, and an execution keeps that */
    sigprocmask(SIG_SETMASK, &none, NULL);
    go(context, out);
    _exit(EXIT_FAILURE_RUNTIME);
}

int errand_start(struct errand *errand, uint64_t timeout_ms, void (*go)(void *context, int out),
                 void *context)
{
    int ends[2];
    pid_t parent = getpid();
    struct timeval tv = clock_timeval(timeout_ms);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    errand->pid = fork_quietly();
    if (errand->pid == 0)
        be_child(go, context, ends[1], parent);
    int error = errno;
    close(ends[1]);
    if (errand->pid < 0) {
        close(ends[0]);
        errand->pid = 0;
        errno = error;
        return -1;
    }
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    errand->fd = ends[0];
    errand->late = false;
    event_assign(errand->says, event_get_base(errand->deadline), errand->fd, EV_READ | EV_PERSIST,
                 says_something, errand);
    event_add(errand->says, NULL);
    if (timeout_ms > 0)
        event_add(errand->deadline, &tv);
    return 0;
}

bool errand_ended(struct errand *errand, pid_t pid)
{
    if (errand->pid == 0 || errand->pid != pid)
        return false;
    hear(errand);
    event_del(errand->says);
    event_del(errand->deadline);
    close(errand->fd);
    errand->fd = -1;
    errand->pid = 0;
    return true;
}

void errand_forget(struct errand *errand)
{
    if (errand->pid != 0) {
        kill_family(errand->pid);
        errand_ended(errand, errand->pid);
    }
    text_fini(&errand->words);
    text_init(&errand->words);
}
