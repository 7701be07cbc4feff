/*
 * The crew: the threads of a worker that run the application, and the event loop with it.
 *
 * Whoever holds the baton runs the loop, and between two turns, outside the event base, what is ready: it takes the GIL once and
 * runs requests for about a millisecond. No queue, no other thread: that is the fast path. A call that lasts costs its thread the
 * baton (app/baton.h), and the loop goes on in another one; the thread ends its call by exchange_finish_later. When calls of its
 * kind (method and path) are long on average, the baton is given away before the call and nobody waits for it.
 *
 * With one thread the application runs only ever on the main thread. The other threads are threading.Thread objects of Python,
 * "gateway-1" and so on, and are started with the crew.
 */
#ifndef APP_CREW_H
#define APP_CREW_H

#include "app/deadline.h"
#include "net/loop.h"

struct crew;

struct crew_setup {
    struct loop *loop;
    unsigned threads;
    void *const *contexts;     /* of the handler, one per thread */
    struct deadline *deadline; /* looks at the calls that last */
    /* Looked at between two turns, with the baton: true when there is something that only the main thread may do. */
    bool (*wants_main)(void *context);
    /* Looks at what Python code has done to signals: on the main thread, with the GIL, when such code has returned there or a moment later. */
    void (*look_at_signals)(void *context);
    void *context;
};

/* For the main thread, without the GIL. It is the first of the crew and holds the baton from here on. */
struct crew *crew_new(const struct crew_setup *setup);
/* False: threads are still in the application, and are left there with what they use: end the process without Python's help. */
bool crew_free(struct crew *crew);

/* The main thread serves with the others until wants_main; then it has the baton. */
void crew_serve(struct crew *crew);

/* How many of the threads have been waiting for the GIL for so many ms, to run what is ready. From any thread. */
unsigned crew_await_gil(const struct crew *crew, uint64_t ms);

/* Python code outside of any request, on the main thread, with the GIL; others may run the loop meanwhile. */
void crew_run_python(struct crew *crew, void (*run)(void *context), void *context);

/* One batch of what is ready, by the main thread, which has the baton again when it returns. */
void crew_run_ready(struct crew *crew);

#endif
