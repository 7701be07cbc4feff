/*
 * The baton: the right to run the event loop of a worker. One thread holds it at any time.
 *
 *              ┌── baton_lend, then what may last ──> LENT ── baton_take_back ──┐
 *   HELD ──────┤                                       │                        ├──> HELD
 *              │                           outlasts a tick: the monitor         │
 *              │                           takes it for an idle member, or ─────┘ (of another thread)
 *              └── baton_pass ──────────── for itself when all are busy
 *
 * Members are the threads that run the application. A member that has lost the baton ends what it does without it, and then
 * waits for it (baton_wait). The monitor never runs the application: with the baton it does nothing but I/O, until a member
 * is idle again. It ticks while batons are lent and sleeps while nothing happens.
 *
 * Order of locks: the baton first, then the interpreter's lock; nobody waits for the baton while holding the other.
 */
#ifndef APP_BATON_H
#define APP_BATON_H

#include <stdbool.h>
#include <stdint.h>

struct baton;

/* What is run under the baton, and how it is interrupted. */
struct baton_work {
    /* In a member's thread: holds the baton when it begins, has lost it (or the baton is closed) when it returns. */
    void (*lead)(void *context, unsigned member);
    /* The monitor's: one turn of I/O, which may wait for events. */
    void (*turn)(void *context);
    /* From any thread: a turn under way, or the next one, ends soon. */
    void (*wake)(void *context);
    void *context;
};

/* The calling thread is member 0, and holds it; `members` includes that one. The caller starts the threads of the others. */
struct baton *baton_new(unsigned members, const struct baton_work *work);
/* What the thread of another member does until the baton is closed. A member whose thread does not is never given the baton. */
void baton_serve(struct baton *baton, unsigned member);
/* Held by the calling thread. Ends the monitor and the idle members. False: members are still busy; they, and the baton, are left
 * to the end of the process. */
bool baton_close(struct baton *baton);
/* After baton_close and the end of all threads that were in baton_serve. */
void baton_free(struct baton *baton);

/* The holder, before something that may last. The number is for baton_take_back. One store, and a look at the monitor. */
uint64_t baton_lend(struct baton *baton);
/* After it: false when the baton has gone to another thread. */
bool baton_take_back(struct baton *baton, uint64_t lending);
/* The holder, before something that is expected to last: gives it away at once. */
void baton_pass(struct baton *baton);
/* The holder gives it to member 0 if that one is idle; true when it did. Else the loop is woken once member 0 is idle: the
 * holder then asks again. */
bool baton_pass_to_first(struct baton *baton);
/* A member without it: waits until it is given the baton. False: it was closed, and the thread should end. */
bool baton_wait(struct baton *baton, unsigned member);

#endif
