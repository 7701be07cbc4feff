/*
 * The crew: the threads of a worker that run the application, and the event loop with it.
 *
 * The thread that holds the baton runs the loop. Between two turns, outside the event base, it runs
 * the requests that are ready: it takes the GIL once and runs them for about a millisecond. This is
 * the fast path, without a queue and without a second thread.
 *
 * A call that lasts costs its thread the baton (app/baton.h), and the loop goes on in another
 * thread. The thread ends its call with exchange_finish_later. When calls of a kind (method and
 * path) are long on average, the thread gives the baton away before the call.
 *
 * With one thread, only the main thread runs the application. The other threads are
 * threading.Thread objects of Python, named "gateway-1" and so on. They are started with the crew.
 */
#ifndef APP_CREW_H
#define APP_CREW_H

#include "app/deadline.h"
#include "net/loop.h"

struct crew;

struct crew_setup {
    struct loop *loop;
    unsigned threads;
    void *const *contexts;     /* for the handler, one per thread */
    struct deadline *deadline; /* watches the calls that last */
    /* Asked between two turns, with the baton. True when there is work that only the main thread
     * may do. */
    bool (*wants_main)(void *context);
    /* Looks at the signal handlers that Python code has set. Called on the main thread, with the
     * GIL, when Python code has returned there, or a moment later. */
    void (*look_at_signals)(void *context);
    void *context;
};

/* Called by the main thread, without the GIL. The main thread is member 0 and holds the baton from
 * here on. */
struct crew *crew_new(const struct crew_setup *setup);
/* False: threads are still in the application. They stay there with everything they use: the
 * process has to end without Python's help. */
bool crew_free(struct crew *crew);

/* The main thread serves with the others until wants_main is true. At the return it has the
 * baton. */
void crew_serve(struct crew *crew);

/* From any thread: how many threads have waited for the GIL for `ms` to run a batch. */
unsigned crew_await_gil(const struct crew *crew, uint64_t ms);

/* Runs Python code that belongs to no request, on the main thread, with the GIL. Other threads may
 * run the loop meanwhile. */
void crew_run_python(struct crew *crew, void (*run)(void *context), void *context);

/* The main thread runs one batch of ready requests. At the return it has the baton again. */
void crew_run_ready(struct crew *crew);

#endif
