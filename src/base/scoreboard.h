/*
 * The scoreboard: what every worker does and has done, in memory that the master and all its
 * children share. Nothing is on disk.
 *
 * The master makes one region, a nameless file, before the first fork. Each seat of a worker has a
 * row with cache lines of its own. A row passes to the next worker in its seat. Counters are never
 * reset, so that sums over all rows survive every worker. A worker writes its own row with relaxed
 * atomics (scoreboard_add, scoreboard_set), in the thread that runs its loop. Any thread may write
 * fields that say so (scoreboard_count). All processes read. The master alone writes pid and state
 * for a seat without a worker, and the part before the rows, which is about the service.
 *
 * The master may be root where the workers are not. So it trusts no value in the scoreboard, even
 * if it wrote that value itself: it treats all as arbitrary numbers and text. It keeps the layout
 * in its own memory.
 *
 * A binary that replaces the master maps the region again (scoreboard_adopt), while workers of the
 * old binary go on writing. A change of the layout raises UPGRADE_STATE_VERSION
 * (upgrade/upgrade_state.h).
 */
#ifndef BASE_SCOREBOARD_H
#define BASE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/histogram.h"
#include "base/log_file.h"

enum worker_state {
    WORKER_NONE,     /* the seat has no process */
    WORKER_FAILED,   /* the application could not be loaded, and the reason is logged */
    WORKER_BOOTING,  /* forked; the application is being imported */
    WORKER_LOADED,   /* the application is imported; the worker does not serve yet */
    WORKER_READY,    /* serving */
    WORKER_DRAINING, /* told to stop: finishes its requests */
    WORKER_STALLED, /* READY, and marked by the master; a row's `state` never has this value (status/totals.h) */
    WORKER_STATES
};

/* Whether a worker accepts connections, or why it does not. */
enum intake_state {
    INTAKE_OPEN,
    INTAKE_FULL,           /* --worker-connections connections are open */
    INTAKE_NO_DESCRIPTORS, /* the process has no descriptor left */
    INTAKE_NO_RESOURCES,   /* the system has no descriptor or no memory left */
};

/* The activity of a connection. The counters do not part idle from active, as most requests take a
 * connection only from one to the other and back. Readers compute the number of active connections
 * from the calls. */
enum connection_state {
    CONNECTION_IDLE,    /* between requests, or before the first; or active */
    CONNECTION_READING, /* a request is not complete yet */
    CONNECTION_WRITING, /* the client has not read all of its response, or not noticed that we have closed */
    CONNECTION_STATES
};

/* Why a request got a response without the application. */
enum refusal {
    REFUSAL_MALFORMED,   /* 400 */
    REFUSAL_SLOW,        /* 408: its head or body was late */
    REFUSAL_TOO_LARGE,   /* 413, 414, 431 */
    REFUSAL_UNSUPPORTED, /* 417, 501, 505 */
    REFUSAL_NO_STORAGE,  /* 503: its body could not be kept */
    REFUSAL_NO_THREAD,   /* 503: --queue-timeout */
    REFUSAL_TIMEOUT,     /* 504: --timeout */
    REFUSALS
};

/* Why a connection moves to another worker; see net/handover.h. */
enum handover_reason {
    HANDOVER_BALANCE, /* the other worker had fewer connections */
    HANDOVER_BUSY,    /* the other worker had an idle thread */
    HANDOVER_RETIRE,  /* this worker leaves */
    HANDOVER_REASONS
};

/* Why a worker was replaced. A replacement by a reload counts as none of these. */
enum restart_cause {
    RESTART_EXITED,   /* ended by itself */
    RESTART_SIGNAL,   /* killed by a signal that the master did not send */
    RESTART_KILLED,   /* killed by the master: it did not leave in time */
    RESTART_STUCK,    /* its calls did not return */
    RESTART_ASKED,    /* asked to leave, by SIGTERM */
    RESTART_RECYCLED, /* reached a limit such as --max-requests */
    RESTART_STALLED,  /* made no progress, or could not accept, while clients waited */
    RESTART_CAUSES
};

/* The range of final status codes, which have three digits. */
enum { SCOREBOARD_CODE_MIN = 200, SCOREBOARD_CODE_MAX = 999 };
enum { SCOREBOARD_CODES = SCOREBOARD_CODE_MAX - SCOREBOARD_CODE_MIN + 1 };

/* Each part has cache lines of its own. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct scoreboard_row {
    /* About the worker in the seat; zero without one. */
    _Alignas(64) _Atomic uint32_t pid;
    _Atomic uint32_t generation; /* number of the reload that started it */
    _Atomic uint32_t state;      /* enum worker_state */
    _Atomic uint32_t ready;      /* complete requests that wait for a thread */
    _Atomic uint32_t intake;     /* enum intake_state */
    _Atomic uint32_t connections;
    _Atomic uint32_t
        connection_states[CONNECTION_STATES]; /* their sum is `connections`, apart from moments of change */
    _Atomic uint64_t progress; /* turns of the event loop; a turn does not imply that the worker accepts */
    _Atomic uint64_t forked_ms;
    _Atomic uint64_t requests_before; /* value of `requests` at its fork */
    _Atomic uint64_t
        refused_ms; /* clock_ms() when it last refused a request for lack of a thread; 0: never */

    /* Set by the master: clients wait, and the worker has made no progress, or could not accept,
     * for seconds. */
    _Atomic uint32_t stalled;

    /* Used in the first row of a slot: */
    _Atomic uint32_t left_unserved; /* set by the master: the other workers accept this slot's connections */
    _Atomic uint32_t in_transfer;   /* connections on their way to it; all workers write it */

    /* Counted since the row was made. */
    _Alignas(64) _Atomic uint64_t requests; /* ended in any way */
    _Atomic uint64_t accepted;              /* connections */
    _Atomic uint64_t adopted;               /* connections from other workers */
    _Atomic uint64_t received;              /* bytes */
    _Atomic uint64_t refused[REFUSALS];
    _Atomic uint64_t handed_over[HANDOVER_REASONS];
    struct histogram request; /* from the end of its head to the end of its response */
    struct histogram queue;   /* from the end of the request to the start of its call */
    struct histogram call;    /* of calls of the application */

    /* Any thread writes these: scoreboard_count. */
    _Alignas(64) _Atomic uint64_t sent; /* bytes */
    _Atomic uint64_t spooled;           /* bytes that its spools have reserved, see base/spool.h */
    /* Indexed by status code. A response is counted before its last byte is sent. So a client that
     * has read a response finds it here, even if the worker has died since. */
    _Atomic uint64_t answers[SCOREBOARD_CODES];
};

/* The call that an application thread runs, or ran last. After a crash the master reads here which
 * request killed the worker. Only that thread writes it. */
enum { SCOREBOARD_REQUEST_SIZE = 192 };
struct scoreboard_call {
    _Alignas(64) _Atomic uint64_t since_ns; /* clock_ns() at its start, published; 0: no call runs */
    char request
        [SCOREBOARD_REQUEST_SIZE]; /* the request line of this call or the last one; the worker terminates it */
};

/* A recent restart. */
enum { SCOREBOARD_RESTARTS = 16, SCOREBOARD_HOW_SIZE = 256 };
struct scoreboard_restart {
    _Atomic uint64_t number; /* from 1, published; 0: none, or the entry is being written */
    uint64_t at;             /* Unix time, s */
    uint32_t slot, pid;
    enum restart_cause cause;
    char how[SCOREBOARD_HOW_SIZE]; /* "was killed by signal 9 ..." */
};

/* Why the last reload failed: with --reload, workers answer with this text in place of the
 * application (app/worker_answers.h). */
enum { SCOREBOARD_FAILED_RELOAD_SIZE = 32 * 1024 };
struct scoreboard_failed_reload {
    _Atomic uint32_t number; /* twice the number of failures, published; odd: the text is being written */
    _Atomic uint32_t size;
    char text[SCOREBOARD_FAILED_RELOAD_SIZE]; /* the end of a longer text */
};

/* About the service: the master writes it, the status process and the workers read it. */
struct scoreboard_service {
    _Alignas(64) _Atomic uint64_t started; /* Unix time, s */
    _Atomic uint32_t generation;           /* of the application that serves; 1 since the start */
    _Atomic uint32_t stops; /* the service stops: load balancers must not send further requests */
    _Atomic uint64_t restarts[RESTART_CAUSES];
    struct scoreboard_restart
        last_restarts[SCOREBOARD_RESTARTS]; /* number N is at (N - 1) % SCOREBOARD_RESTARTS */
    struct scoreboard_failed_reload failed_reload;
    struct log_gap error_log_gap, access_log_gap; /* here, so that an upgrade loses no count */
};

/* Each process has its own; the memory it points to is shared. */
struct scoreboard {
    int memory; /* a descriptor, close-on-exec */
    uint32_t count, threads;
    uint32_t seats;          /* rows per slot: the seats of a slot are neighbours */
    uint64_t restarts;       /* restarts that the master has recorded */
    uint32_t failed_reloads; /* failed reloads that the master has recorded */
    struct scoreboard_service *service;
    struct scoreboard_row *rows;   /* `count` */
    struct scoreboard_call *calls; /* `count` times `threads` */
};

/* Makes `count` rows with `threads` calls each, zeroed but for the time of the start. NULL and
 * errno when the kernel lacks memory. The caller owns the scoreboard. */
struct scoreboard *scoreboard_new(uint32_t count, uint32_t threads);
/* Maps the memory of another process, and takes the descriptor. NULL and errno when its size is
 * wrong. */
struct scoreboard *scoreboard_adopt(int memory, uint32_t count, uint32_t threads);
struct scoreboard_call *scoreboard_calls(struct scoreboard *board, uint32_t row); /* an array of `threads` */
void scoreboard_forget(
    const struct scoreboard *board); /* in a child: closes the descriptor and keeps the memory */
void scoreboard_free(struct scoreboard *board);

/* Called by the thread itself: a call begins with this request line; the call ends. */
void scoreboard_call_begin(struct scoreboard_call *call, uint64_t now_ns, const char *line, size_t size);
void scoreboard_call_end(struct scoreboard_call *call);
/* The number of calls that the row's worker runs. Any process. */
uint32_t scoreboard_busy(struct scoreboard *board, uint32_t row);
/* Copies the running request as a string and returns its start; 0 when none runs, or while it
 * changes. Any process. */
uint64_t scoreboard_call_read(const struct scoreboard_call *call, char request[SCOREBOARD_REQUEST_SIZE]);

/* Called by the master. */
void scoreboard_note_restart(struct scoreboard *board, uint32_t slot, uint32_t pid, enum restart_cause cause,
                             const char *how);
/* Copies the `age`th last restart; 0 is the last. False when there is none, or while it is
 * overwritten. */
bool scoreboard_read_restart(const struct scoreboard_service *service, uint64_t age,
                             struct scoreboard_restart *copy);

/* Called by the master after a failed reload. */
void scoreboard_note_failed_reload(struct scoreboard *board, const char *text, size_t size);
/* Called by workers. The first returns the present number. The second copies the text, `*size`
 * bytes, when there is a newer failure than `since`. False when there is none, or while it is
 * written. */
uint32_t scoreboard_failed_reloads(const struct scoreboard_failed_reload *failed_reload);
bool scoreboard_read_failed_reload(const struct scoreboard_failed_reload *failed_reload, uint32_t since,
                                   char text[SCOREBOARD_FAILED_RELOAD_SIZE], size_t *size);

/* The row's worker has just refused requests, because no thread took them in time. */
bool scoreboard_is_saturated(const struct scoreboard_row *row, uint64_t now_ms);

/* Names as metrics print them. */
const char *worker_state_name(enum worker_state state);
const char *refusal_name(enum refusal refusal);
const char *handover_reason_name(enum handover_reason reason);
const char *restart_cause_name(enum restart_cause cause);

#define scoreboard_set(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define scoreboard_get(field)        atomic_load_explicit(&(field), memory_order_relaxed)
/* For a field that announces others: a reader that sees it sees the others, too. */
#define scoreboard_publish(field, value) atomic_store_explicit(&(field), (value), memory_order_release)
#define scoreboard_see(field)            atomic_load_explicit(&(field), memory_order_acquire)
/* For the row's one writer: needs no locked instruction. */
#define scoreboard_add(field, value) scoreboard_set((field), scoreboard_get(field) + (value))
/* For fields that any thread writes. */
#define scoreboard_count(field, value) \
    ((void)atomic_fetch_add_explicit(&(field), (value), memory_order_relaxed))

#endif
