/* The worker slots. */
#include "proc/slots.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "proc/death.h"

static void run_worker(const struct slot *slots, unsigned count, struct event_base *base,
                       const struct worker_setup *setup)
{
    /* The base shares its epoll set and signal pipe with the master until it is made anew. */
    event_reinit(base);
    event_base_free(base);
    for (unsigned i = 0; i < count; i++)
        close(slots[i].mailbox.master);
    _exit(worker_main(setup));
}

int slot_fork(struct slot *slots, unsigned count, unsigned number, struct event_base *base,
              const struct worker_setup *setup)
{
    struct slot *slot = &slots[number];
    struct scoreboard_row *row = setup->row;
    scoreboard_set(row->state, WORKER_BOOTING);
    scoreboard_set(row->connections, 0);
    scoreboard_set(row->ready, 0);
    for (unsigned i = 0; i < setup->threads; i++)
        scoreboard_set(setup->calls[i].since_ms, 0);
    slot->requests_before = scoreboard_get(row->requests);
    /* A signal that came before the worker has handlers of its own would end up with the master's. */
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_worker(slots, count, base, setup);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0) {
        scoreboard_set(row->state, WORKER_NONE);
        return -1;
    }
    slot->pid = pid;
    slot->forked_ms = clock_ms();
    slot->was_ready = slot->killed = false;
    scoreboard_set(row->pid, (uint32_t)pid);
    return 0;
}

/* The call that has run longest, or NULL. */
static const struct scoreboard_call *oldest_call(const struct scoreboard_call *calls, uint32_t count)
{
    const struct scoreboard_call *oldest = NULL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t since = scoreboard_get(calls[i].since_ms);
        if (since != 0 && (oldest == NULL || since < scoreboard_get(oldest->since_ms)))
            oldest = &calls[i];
    }
    return oldest;
}

void slot_reap(struct slot *slot, struct scoreboard *board, int status, char *text, size_t size)
{
    struct scoreboard_row *row = &board->rows[slot->number];
    const struct scoreboard_call *call = oldest_call(scoreboard_calls(board, slot->number), board->threads);
    uint64_t now = clock_ms();
    struct death death = {
        .status = status,
        .killed_by_us = slot->killed,
        .age_ms = now - slot->forked_ms,
        .requests = scoreboard_get(row->requests) - slot->requests_before,
        .request = call != NULL ? call->request : NULL,
        .request_ms = call != NULL ? now - scoreboard_get(call->since_ms) : 0,
    };
    death_describe(&death, text, size);
    scoreboard_set(row->state, WORKER_NONE);
    scoreboard_set(row->pid, 0);
    scoreboard_set(row->connections, 0);
    slot->pid = 0;
}

void slot_tell(struct slot *slot, const struct scoreboard_row *row, enum message_kind kind)
{
    if (slot->pid == 0)
        return;
    if (kind == MESSAGE_REOPEN)
        mailbox_send(slot->mailbox.master, kind, slot->pid);
    else if (scoreboard_get(row->state) == WORKER_BOOTING)
        slot_kill(slot);
    else if (mailbox_send(slot->mailbox.master, kind, slot->pid) < 0)
        kill(slot->pid, SIGTERM);
}

void slot_kill(struct slot *slot)
{
    if (slot->pid == 0)
        return;
    slot->killed = true;
    kill(slot->pid, SIGKILL);
}
