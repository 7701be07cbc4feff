/*
 * The baton: the right to run the event loop of a worker. One thread holds it at any time.
 *
 *              ┌── baton_lend, then what may last ──> LENT ── baton_take_back ──┐
 *   HELD ──────┤                                       │                        ├──> HELD
 *              │                           outlasts a tick: the monitor         │
 *              │                           takes it for an idle member, or ─────┘  (another thread)
 *              └── baton_pass ──────────── for itself when all are busy
 *
 * Members are the threads that run the application. A member that has lost the baton ends its call
 * without it, and then waits for it (baton_wait). The monitor never runs the application. With the
 * baton it does only I/O, until a member is idle again. It ticks while batons are lent, and sleeps
 * while nothing happens.
 *
 * Order of locks: the baton first, then the interpreter's lock. A thread that holds the
 * interpreter's lock never waits for the baton.
 */
#ifndef APP_BATON_H
#define APP_BATON_H

#include <stdbool.h>
#include <stdint.h>

struct baton;

/* The work that is done under the baton, and the way to interrupt it. */
struct baton_work {
    /* Runs in a member's thread, which holds the baton at the beginning. At the return, the member
     * has lost the baton, or the baton is closed. */
    void (*lead)(void *context, unsigned member);
    /* Runs in the monitor: one turn of I/O, which may wait for events. */
    void (*turn)(void *context);
    /* From any thread: the turn under way, or the next one, ends soon. */
    void (*wake)(void *context);
    void *context;
};

/* The calling thread is member 0 and holds the baton. `members` counts it. The caller starts the
 * threads of the others. */
struct baton *baton_new(unsigned members, const struct baton_work *work);
/* The thread of another member calls this, and stays in it until the baton is closed. A member
 * whose thread does not call it never gets the baton. */
void baton_serve(struct baton *baton, unsigned member);
/* The calling thread holds the baton. Ends the monitor and the idle members. False: members are
 * still busy. They and the baton are left to the end of the process. */
bool baton_close(struct baton *baton);
/* After baton_close, and after the end of all threads that were in baton_serve. */
void baton_free(struct baton *baton);

/* The holder calls this before work that may last. Returns the number for baton_take_back. Costs
 * one store, and a look at the monitor. */
uint64_t baton_lend(struct baton *baton);
/* After that work: false when the baton has gone to another thread. */
bool baton_take_back(struct baton *baton, uint64_t lending);
/* The holder calls this before work that is expected to last: gives the baton away at once. */
void baton_pass(struct baton *baton);
/* The holder gives the baton to member 0 if that is idle: true. Else the loop is woken when member
 * 0 is idle, and the holder then asks again. */
bool baton_pass_to_first(struct baton *baton);
/* A member without the baton waits for it. False: the baton is closed, and the thread should
 * end. */
bool baton_wait(struct baton *baton, unsigned member);

#endif
