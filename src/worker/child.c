/* A worker process as its parent sees it. */
#include "worker/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/exit_status.h"
#include "base/log.h"
#include "proc/directory.h"
#include "proc/fork.h"
#include "proc/notify.h"
#include "proc/privileges.h"
#include "proc/resources.h"
#include "proc/worker_end.h"
#include "worker/worker.h"

int child_open(struct child *child)
{
    *child = (struct child){.channel = {-1, -1}, .crash_pipe = {-1, -1}};
    if (worker_channel_open(&child->channel) == 0 && crash_pipe_open(&child->crash_pipe) == 0)
        return 0;
    int error = errno;
    child_close(child);
    *child = (struct child){.channel = {-1, -1}, .crash_pipe = {-1, -1}};
    errno = error;
    return -1;
}

void child_close(struct child *child)
{
    worker_channel_close(&child->channel);
    crash_pipe_close(&child->crash_pipe);
}

int child_leave_master(const struct child *children, unsigned count, struct event_base *base,
                       const struct worker_setup *setup)
{
    char message[256];
    /* The base shares its epoll set and signal pipe with the master until it is made anew. */
    event_reinit(base);
    event_base_free(base);
    for (unsigned i = 0; i < count; i++) {
        close(children[i].channel.master);
        close(children[i].crash_pipe.master);
    }
    notify_forget();
    if (setup->forget != NULL)
        setup->forget(setup->master_state);
    if (setup->directory != NULL && directory_enter_living(setup->directory) < 0) {
        log_critical("the working directory cannot be entered: %s", strerror(errno));
        return -1;
    }
    if (privileges_drop(message, sizeof(message)) == 0)
        return 0;
    log_critical("%s", message);
    return -1;
}

/* Clears the part of the row that belongs to a worker and not to the seat. */
static void empty_row(struct scoreboard_row *row, struct scoreboard_call *calls, unsigned threads)
{
    scoreboard_set(row->pid, 0);
    scoreboard_set(row->ready, 0);
    scoreboard_set(row->intake, INTAKE_OPEN);
    scoreboard_set(row->stalled, 0);
    scoreboard_set(row->connections, 0);
    scoreboard_set(row->spooled, 0);
    for (unsigned i = 0; i < CONNECTION_STATES; i++)
        scoreboard_set(row->connection_states[i], 0);
    for (unsigned i = 0; i < threads; i++)
        scoreboard_call_end(&calls[i]);
}

static void prepare_row(struct child *child, const struct worker_setup *setup)
{
    struct scoreboard_row *row = setup->row;
    oom_begin();
    scoreboard_set(row->state, WORKER_BOOTING);
    scoreboard_set(row->generation, setup->generation);
    scoreboard_set(row->refused_ms, 0);
    empty_row(row, setup->calls, setup->threads);
    child->forked_ms = clock_ms();
    child->requests_before = scoreboard_get(row->requests);
    scoreboard_set(row->forked_ms, child->forked_ms);
    scoreboard_set(row->requests_before, child->requests_before);
}

static void note_pid(struct child *child, const struct worker_setup *setup, pid_t pid)
{
    child->pid = pid;
    child->killed = KILL_NOT;
    scoreboard_set(setup->row->pid, (uint32_t)pid);
}

static void be_worker(const struct child *children, unsigned count, struct event_base *base,
                      const struct worker_setup *setup)
{
    log_identify("worker %u", setup->slot);
    if (child_leave_master(children, count, base, setup) < 0) {
        scoreboard_set(setup->row->state, WORKER_LOADED); /* the application has not failed */
        _exit(EXIT_FAILURE_RUNTIME);
    }
    _exit(worker_main(setup));
}

int child_fork(struct child *children, unsigned count, unsigned number, struct event_base *base,
               const struct worker_setup *setup)
{
    struct child *child = &children[number];
    prepare_row(child, setup);
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_worker(children, count, base, setup);
    if (pid < 0) {
        scoreboard_set(setup->row->state, WORKER_NONE);
        return -1;
    }
    note_pid(child, setup, pid);
    return 0;
}

void child_expect(struct child *child, const struct worker_setup *setup)
{
    prepare_row(child, setup);
    child->expected = true;
    child->killed = KILL_NOT;
    child->messages = 0;
}

void child_is_forked(struct child *child, const struct worker_setup *setup, pid_t pid)
{
    enum kill_reason to_be_killed = child->killed;
    child->expected = false;
    child->forked_ms = clock_ms();
    scoreboard_set(setup->row->forked_ms, child->forked_ms);
    note_pid(child, setup, pid);
    for (unsigned kind = 0; child->messages >> kind != 0; kind++)
        if (child->messages >> kind & 1)
            child_tell(child, (enum message_kind)kind);
    if (to_be_killed != KILL_NOT)
        child_kill(child, to_be_killed);
}

void child_is_not_forked(struct child *child, const struct worker_setup *setup)
{
    child->expected = false;
    scoreboard_set(setup->row->state, WORKER_NONE);
}

uint64_t child_requests(const struct child *child, const struct scoreboard_row *row)
{
    uint64_t requests = scoreboard_get(row->requests);
    return requests > child->requests_before ? requests - child->requests_before : 0;
}

enum restart_cause child_reap(struct child *child, struct scoreboard_row *row, struct scoreboard_call *calls,
                              unsigned threads, int status, char *text, size_t size)
{
    struct death death = {
        .status = status,
        .killed = child->killed,
        .no_memory = death_is_sudden(status) && child->killed == KILL_NOT && oom_has_killed(),
        .age_ms = clock_ms() - child->forked_ms,
        .requests = child_requests(child, row),
        .calls = calls,
        .threads = threads,
        .now_ns = clock_ns(),
    };
    death_describe(&death, text, size);
    scoreboard_set(row->state, WORKER_NONE);
    empty_row(row, calls, threads);
    child->pid = 0;
    return death_cause(&death);
}

void child_tell(struct child *child, enum message_kind kind)
{
    if (child->pid != 0)
        worker_channel_send(child->channel.master, kind, child->pid);
    else if (child->expected)
        child->messages |= 1U << kind;
}

void child_kill(struct child *child, enum kill_reason why)
{
    if (child->killed == KILL_NOT && child_is_there(child))
        child->killed = why;
    if (child->pid != 0)
        kill(child->pid, SIGKILL);
}
