/*
 * The event loop of one worker: the event base and everything that lives on it.
 *
 * Only the thread that calls loop_turn touches the base, closes sockets and changes connections
 * (conn.h names the exceptions). Callbacks receive, parse, and put complete requests on the ready
 * list. They never call the application. Between two turns the caller takes requests off the list
 * (loop_take_ready) and runs them outside of the event base.
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

/* Bytes received by one call. It is large, so that a short read nearly always means that the socket
 * is drained. */
enum { LOOP_SCRATCH_SIZE = 64 * 1024 };

struct loop {
    struct event_base *base;
    const struct options *options;
    const struct handler *handler; /* for all requests */
    /* Answers a request that is not for the application, in the loop, and ends its exchange. False:
     * it is for the application. NULL: all are. */
    bool (*answer_now)(struct exchange *exchange);
    /* The fate of a request and its answer is known. Called once for each exchange, in the loop.
     * NULL: not wanted. */
    void (*answered)(void *context, const struct exchange *exchange);
    void *answered_context;
    struct scoreboard_row *row; /* the row that this worker writes */
    struct timeouts *timeouts;
    struct memo *memo;
    struct networks trusted;          /* --forwarded-allow-ips */
    struct forwarded_fields believed; /* --forwarded-headers */
    /* A list of X-Forwarded-For was cut at a private address, and that was logged. */
    bool cut_told;
    struct request_ids request_ids;
    struct parser_limits parser_limits;
    struct body_limits body_limits;
    struct output_limits output_limits;
    struct pool exchanges;
    struct pool connections;
    char *scratch; /* LOOP_SCRATCH_SIZE bytes: received input, until the next receive */
    struct exchange *ready_first, *ready_last;
    size_t ready_count;
    uint64_t now_ns; /* for loop_now; 0: not read yet in this turn */
    /* For the oldest ready request, while no thread can run it. */
    struct event *queue_timer;
    /* Requests refused after --queue-timeout and not yet reported. */
    size_t refused;
    uint64_t reported_ms; /* time of the last report; 0: there was none */
    /* The finished list: exchanges that other threads have ended (loop_finish_later). */
    _Atomic(struct exchange *) finished_list;
    struct event *wake; /* on wake_fd, an eventfd, for loop_wake */
    int wake_fd;
    struct conn *open;     /* all connections, the youngest first: see loop_close_in_child */
    struct conn *deferred; /* connections to be watched, resumed or closed before the next poll */
    size_t open_count;     /* number of connections */
    /* Calls that were answered in their thread's place and have not returned (exchange_preempt). */
    struct exchange *lasting_first;
    size_t lasting;
    size_t open_limit;     /* the number at which accepting pauses */
    bool accepting_paused; /* at the limit: on_room is told when a connection closes */
    bool adopting_paused;  /* parcels of other workers wait, for want of descriptors or memory */
    const atomic_bool
        *has_forked; /* children may hold our sockets, so only shutdown reaches the peer; NULL: never */
    struct handover *handover; /* NULL: connections stay here */
    bool retiring;             /* idle connections go to the successor, now and later */
    const struct scoreboard_failed_reload *failed_reload; /* of --reload; NULL: the option is off */
    /* Failures up to this number do not matter here. */
    uint32_t failed_reloads;
    /* While one of these is set, no answer keeps its connection. All threads read them: */
    atomic_bool unready;      /* the service will stop soon: a balancer should send no more clients */
    atomic_bool draining;     /* the worker stops */
    bool parting;             /* it drains and no request is under way: idle connections are closed too */
    struct event *part_timer; /* looks whether `parting` may begin */
    void (*on_room)(void *context); /* called when accepting is paused and may go on */
    void *on_room_context;
};

/* The spools of all connections take from this budget. It must outlive the connections and the
 * application. */
void loop_set_spool_budget(struct loop *loop, const struct spool_budget *budget);

/* All pointers must outlive the loop. */
struct loop *loop_new(const struct options *options, const struct handler *handler,
                      struct scoreboard_row *row);
/* Cuts the connections that are left, at once, so that an answer that is not whole does not look
 * whole (conn_abandon). Call loop_finish_listed before. */
void loop_free(struct loop *loop);
/* The same where threads may still use the connections: nothing is freed or closed. The process is
 * about to end. */
void loop_abandon(struct loop *loop);
/* For a process that the application forked at any moment: closes the connections, which else would
 * live as long as the child. Async-signal-safe. The child must do nothing else with the loop. */
void loop_close_in_child(const struct loop *loop);

/* Priorities of the base's events. Connections and listeners are many and may keep the base busy.
 * Time-outs, and the events that tell the worker to stop, must not wait behind them. An event has
 * the lower priority by default. */
enum { PRIORITY_FIRST, PRIORITY_USUAL, PRIORITIES };

/* Runs one turn: the deferred connections, a poll, and callbacks. The poll waits for an event if
 * `wait` is set and no request is ready. */
void loop_turn(struct loop *loop, bool wait);
/* The same for a thread that cannot run ready requests: it waits although there are some. */
void loop_turn_beside(struct loop *loop);

/* Adds an event of a descriptor, without a time. The kernel refuses a closed descriptor: then
 * loop_broken ends the process. */
void loop_watch(struct event *event);
/* The worker cannot go on; errno says why. Logs one record and ends the process. The master starts
 * another worker. */
void loop_broken(const char *what) __attribute__((noreturn));

/* The oldest complete request whose client is not known to be gone, or NULL. The caller runs its
 * handler. */
struct exchange *loop_take_ready(struct loop *loop);
void loop_add_ready(struct loop *loop, struct exchange *exchange);
bool loop_has_ready(const struct loop *loop, const struct exchange *exchange);
void loop_remove_ready(struct loop *loop, struct exchange *exchange);
/* The client is gone. A request that is on the ready list is taken off and ends without an answer.
 * Else nothing happens. */
void loop_drop_ready(struct loop *loop, struct exchange *exchange);
/* Watches the clients of the requests that have waited for `waited_ms` (net/presence.h). A request
 * whose client is gone is dropped. */
void loop_watch_ready(struct loop *loop, uint64_t waited_ms);

/* No thread will run the ready requests: they get 503, and the loop is saturated. */
void loop_refuse_ready(struct loop *loop);
/* Requests were refused just now because no thread took them in time. */
bool loop_is_saturated(const struct loop *loop);

/* From any thread: exchange_finish is due for the exchange. The turn under way ends soon. */
void loop_finish_later(struct loop *loop, struct exchange *exchange);
/* Finishes the exchanges on the finished list, as each turn does. For the end of the loop, after
 * its last turn. */
void loop_finish_listed(struct loop *loop);
/* From any thread: a turn that waits returns, or the next one does. */
void loop_wake(struct loop *loop);

/* The number of connections that would be cut if the worker ended now. */
size_t loop_count_unfinished(const struct loop *loop);

/* clock_ns() at the first request of this turn. All requests of a turn were there then, so that one
 * look at the clock serves them all. */
uint64_t loop_now(struct loop *loop);

/* Closes the connection that has idled longest, or else the one that has been silent longest since
 * it was accepted. It is gone after the next turn. False: all are in use. */
bool loop_make_room(struct loop *loop);
/* A connection begins to idle while accepting is paused: a client that waits to be accepted may
 * have its place. */
void loop_offer_idle(struct loop *loop);

/* Stops keeping connections alive: each is closed after its next answer. Idle connections stay
 * open, and are served, while any request is under way here. Then they are closed. */
void loop_drain(struct loop *loop);

#endif
