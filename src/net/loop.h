/*
 * The event loop of one worker: the event base and everything that lives on it.
 *
 * Whoever calls loop_turn is the only one to touch the base, to close a socket, to change a connection (conn.h names the
 * exceptions). Callbacks receive, parse and put complete requests on the ready list; they never call the application. The caller takes requests off the
 * list (loop_take_ready) between two turns and runs them outside the event base.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/scoreboard.h"
#include "http/body.h"
#include "http/memo.h"
#include "http/parser.h"
#include "http/request.h"
#include "net/output.h"
#include "net/timers.h"
#include "options/forwarded_fields.h"
#include "options/networks.h"
#include "options/options.h"

struct conn;
struct event_base;
struct exchange;
struct handler;
struct handover;

/* Bytes received by one call: large, so that a short read nearly always means that the socket is drained. */
enum { LOOP_SCRATCH_SIZE = 64 * 1024 };

struct loop {
    struct event_base *base;
    const struct options *options;
    const struct handler *handler; /* of all requests */
    /* Ends the exchange of a request that is not for the application, in the loop; false: it is. NULL: all are. */
    bool (*answer_now)(struct exchange *exchange);
    /* What became of a request and its answer is known: called once for each exchange, in the loop. NULL: not asked for. */
    void (*answered)(void *context, const struct exchange *exchange);
    void *answered_context;
    struct scoreboard_row *row; /* ours to write */
    struct timeouts *timeouts;
    struct memo *memo;
    struct networks trusted;          /* --forwarded-allow-ips */
    struct forwarded_fields believed; /* --forwarded-headers */
    bool cut_told;                    /* that a list of X-Forwarded-For was cut at a private address */
    struct request_ids request_ids;
    struct parser_limits parser_limits;
    struct body_limits body_limits;
    struct output_limits output_limits;
    struct pool exchanges;
    struct pool connections;
    char *scratch; /* LOOP_SCRATCH_SIZE bytes; what was received, until the next receive */
    struct exchange *ready_first, *ready_last;
    size_t ready_count;
    uint64_t now_ns;                        /* of loop_now; 0: not asked yet */
    struct event *queue_timer;              /* for the oldest that is ready, while nobody can run it */
    size_t refused;                         /* after --queue-timeout, and not yet reported */
    uint64_t reported_ms;                   /* when that was done last; 0: never */
    _Atomic(struct exchange *) ended_later; /* finished by other threads: loop_finish_later */
    struct event *wake;                     /* on wake_fd, an eventfd, for transfer sockets and loop_wake */
    int wake_fd;
    struct conn *open;     /* all connections, the youngest first: see loop_close_in_child */
    struct conn *deferred; /* to be watched, resumed or closed before the next poll */
    size_t open_count;     /* connections */
    /* Calls that were answered in their thread's place and have not returned (exchange_preempt). */
    struct exchange *lasting_first;
    size_t lasting;
    size_t open_limit;     /* at which accepting pauses */
    bool accepting_paused; /* at the limit: told to on_room when a connection closes */
    bool adopting_paused;  /* connections from other workers wait, for want of descriptors or memory */
    const atomic_bool
        *has_forked; /* children may hold our sockets: only shutdown reaches the peer. NULL: never */
    struct handover *handover; /* NULL: connections stay */
    bool retiring;             /* what is idle, or will be, goes to the successor */
    const struct scoreboard_failed_reload *failed_reload; /* --reload's; NULL: it is off */
    uint32_t failed_reloads;                              /* those up to this one do not matter here */
    /* No answer keeps its connection; read by all threads: */
    atomic_bool unready;  /* the service will stop soon: whoever looks after it should send nobody */
    atomic_bool draining; /* it stops */
    bool parting;         /* it drains, and nothing is under way any more: idle connections are closed, too */
    struct event *part_timer;       /* until then */
    void (*on_room)(void *context); /* accepting is paused, and has reason to go on */
    void *on_room_context;
};

/* The spools of all its connections are part of that budget, which must outlive them and the application's. */
void loop_set_spool_budget(struct loop *loop, const struct spool_budget *budget);

/* All pointers must outlive the loop. */
struct loop *loop_new(const struct options *options, const struct handler *handler,
                      struct scoreboard_row *row);
/* Cuts the connections that are left: at once, and so that no answer looks whole that is not (conn_abandon). What other threads
 * have posted was finished before: loop_finish_posted. */
void loop_free(struct loop *loop);
/* The same where threads may still use them: nothing is freed or closed, the process is about to end. */
void loop_abandon(struct loop *loop);
/* In a process that the application forked, whatever this one was doing: lets go of the connections, which would live as long
 * as the child. Async-signal-safe; nothing else may be done with the loop there. */
void loop_close_in_child(const struct loop *loop);

/* Of the base's events. Connections and listeners are many and may keep the base busy; what tells the worker to stop, and time-outs, must
 * not wait behind them. (The default of an event is the lower one.) */
enum { PRIORITY_FIRST, PRIORITY_USUAL, PRIORITIES };

/* One turn: settles what the last requests left, polls (waits for an event if `wait` and nothing is ready), runs callbacks. */
void loop_turn(struct loop *loop, bool wait);
/* The same for one who cannot run what is ready: waits although something is. */
void loop_turn_beside(struct loop *loop);

/* Adds an event of a descriptor, without a time. The kernel refuses one that is closed: then the process ends by loop_broken. */
void loop_watch(struct event *event);
/* The worker cannot go on (errno says why): one log record, and the process ends; the master starts another. */
void loop_broken(const char *what) __attribute__((noreturn));

/* The oldest complete request whose client is not known to be gone, or NULL. The caller runs its handler. */
struct exchange *loop_take_ready(struct loop *loop);
void loop_add_ready(struct loop *loop, struct exchange *exchange);
bool loop_has_ready(const struct loop *loop, const struct exchange *exchange);
void loop_remove_ready(struct loop *loop, struct exchange *exchange);
/* The client is gone: a request that is on the ready list is taken off and ends unanswered. Else nothing happens. */
void loop_drop_ready(struct loop *loop, struct exchange *exchange);
/* Watches the clients of those that have waited for that long (net/presence.h); who is gone is taken off. */
void loop_watch_ready(struct loop *loop, uint64_t waited_ms);

/* No thread will take what is ready: 503, and the loop is saturated. */
void loop_refuse_ready(struct loop *loop);
/* Requests were refused just now because no thread took them in time. */
bool loop_is_saturated(const struct loop *loop);

/* From any thread: exchange_finish is due for it, and the turn under way ends soon. */
void loop_finish_later(struct loop *loop, struct exchange *exchange);
/* Each turn finishes what was posted. For the end of the loop, after its last turn. */
void loop_finish_posted(struct loop *loop);
/* From any thread: a turn that waits, or the next one, returns. */
void loop_wake(struct loop *loop);

/* Connections that would be cut now. */
size_t loop_count_unfinished(const struct loop *loop);

/* clock_ns() when the first request of this turn came, which is when all that came with it were there: one look at the clock for
 * them together. */
uint64_t loop_now(struct loop *loop);

/* Closes the connection that has idled for the longest time; where none idles, the one that has been silent for the longest time
 * since it was accepted. It is gone after the next turn. False: all are in use. */
bool loop_make_room(struct loop *loop);
/* Accepting is paused and a connection begins to idle: one that waits to be accepted may have its place. */
void loop_offer_idle(struct loop *loop);

/* Stop keeping connections alive: each is closed after its next answer. Those that idle stay open, and a request on them is answered,
 * while any request is under way here; then they are closed. */
void loop_drain(struct loop *loop);

#endif
