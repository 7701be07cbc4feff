/*
 * The scoreboard: what every worker is doing and has done, in memory shared by the master and all its children. Nothing on disk.
 *
 * One region, a file without a name, made by the master before the first fork; a row of its own cache lines per worker, or seat of
 * one: a row passes from a worker to the next in its seat, and its counters are never set back, so that the sums over all rows
 * survive every worker. A worker writes its own row with relaxed atomics (scoreboard_add, scoreboard_set): whoever runs its loop, except
 * where a field says that any thread may (scoreboard_count). Everybody reads.
 * The master alone writes pid and state for a worker that is not there, and in front of the rows what is the service's.
 *
 * The master may be root where the workers are not, so it believes nothing that stands there, not even what it wrote itself: what it
 * reads is a number or text that may be any, and where the rows are it knows by itself.
 *
 * A binary that takes the master's place maps it again (scoreboard_adopt), while workers of the old one go on to write: where anything
 * in here moves, UPGRADE_STATE_VERSION (upgrade/upgrade_state.h) is raised.
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
    WORKER_NONE,     /* no process in this seat */
    WORKER_FAILED,   /* the application could not be loaded, and that is told */
    WORKER_BOOTING,  /* forked; the application is being imported */
    WORKER_LOADED,   /* it is; the worker does not serve yet */
    WORKER_READY,    /* serving */
    WORKER_DRAINING, /* told to stop: finishes what it has */
    WORKER_STALLED,  /* READY, and marked by the master; a row's `state` never has it (status/totals.h) */
    WORKER_STATES
};

/* Whether a worker accepts connections; if not, the reason. */
enum intake_state {
    INTAKE_OPEN,
    INTAKE_FULL,           /* --worker-connections are open */
    INTAKE_NO_DESCRIPTORS, /* the process has no descriptor left */
    INTAKE_NO_RESOURCES,   /* the system has no descriptor or no memory left */
};

/* What a connection is at. Idle and active are not told apart by who counts, as most requests take a connection only from one to the
 * other and back: who reads knows how many are active by their calls. */
enum connection_state {
    CONNECTION_IDLE,    /* between requests, or before the first; or active */
    CONNECTION_READING, /* a request is not whole yet */
    CONNECTION_WRITING, /* the client has not taken all of its answer, or not noticed that we have closed */
    CONNECTION_STATES
};

/* Why a request was answered without the application. */
enum refusal {
    REFUSAL_MALFORMED,   /* 400 */
    REFUSAL_SLOW,        /* 408: its head or body did not come in time */
    REFUSAL_TOO_LARGE,   /* 413, 414, 431 */
    REFUSAL_UNSUPPORTED, /* 417, 501, 505 */
    REFUSAL_NO_STORAGE,  /* 503: its body could not be kept */
    REFUSAL_NO_THREAD,   /* 503: --queue-timeout */
    REFUSAL_TIMEOUT,     /* 504: --timeout */
    REFUSALS
};

/* Why a connection moves to another worker, see net/handover.h. */
enum handover_reason {
    HANDOVER_BALANCE, /* which had fewer */
    HANDOVER_BUSY,    /* which had an idle thread */
    HANDOVER_RETIRE,  /* since this one leaves */
    HANDOVER_REASONS
};

/* Why a worker was replaced. One that a reload replaces is none of these. */
enum restart_cause {
    RESTART_EXITED,   /* by itself */
    RESTART_SIGNAL,   /* killed by a signal that was not ours */
    RESTART_KILLED,   /* by the master: it did not leave in time */
    RESTART_STUCK,    /* its calls did not return */
    RESTART_ASKED,    /* it was asked to leave, by TERM */
    RESTART_RECYCLED, /* it had served long enough */
    RESTART_STALLED,  /* it did not move, or could not accept, while clients waited */
    RESTART_CAUSES
};

/* Of the final status codes, which have three digits. */
enum { SCOREBOARD_CODE_MIN = 200, SCOREBOARD_CODE_MAX = 999 };
enum { SCOREBOARD_CODES = SCOREBOARD_CODE_MAX - SCOREBOARD_CODE_MIN + 1 };

/* Each part has cache lines of its own. NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding) */
struct scoreboard_row {
    /* Of the worker in the seat, or zero. */
    _Alignas(64) _Atomic uint32_t pid;
    _Atomic uint32_t generation; /* of the reload that it is of */
    _Atomic uint32_t state;      /* enum worker_state */
    _Atomic uint32_t ready;      /* requests complete and waiting for a thread */
    _Atomic uint32_t intake;     /* enum intake_state */
    _Atomic uint32_t connections;
    _Atomic uint32_t connection_states[CONNECTION_STATES]; /* their sum, but for a moment, is `connections` */
    _Atomic uint64_t progress; /* turns of the event loop; that it turns does not say that it accepts */
    _Atomic uint64_t forked_ms;
    _Atomic uint64_t requests_before; /* of the counter, when it was forked */
    _Atomic uint64_t refused_ms; /* clock_ms() when it refused a request for lack of a thread; 0: never */

    /* By the master: clients wait, and the worker has not moved, or could not accept, for seconds. */
    _Atomic uint32_t stalled;

    /* Of the first row of a slot: */
    _Atomic uint32_t left_unserved; /* by the master: the others take what comes to it */
    _Atomic uint32_t in_transfer;   /* connections on their way to it; written by all */

    /* Since the row was made. */
    _Alignas(64) _Atomic uint64_t requests; /* ended, however */
    _Atomic uint64_t accepted;              /* connections */
    _Atomic uint64_t adopted;               /* connections that came from other workers */
    _Atomic uint64_t received;              /* bytes */
    _Atomic uint64_t refused[REFUSALS];
    _Atomic uint64_t handed_over[HANDOVER_REASONS];
    struct histogram request; /* from the end of its head to the end of its answer */
    struct histogram queue;   /* from its own end to the beginning of its call */
    struct histogram call;    /* of the application */

    /* By any thread: scoreboard_count. */
    _Alignas(64) _Atomic uint64_t sent; /* bytes */
    _Atomic uint64_t spooled;           /* bytes that its spools have reserved now, see base/spool.h */
    /* By status code. Counted before the last byte leaves, so that whoever has seen an answer finds it here, even if the worker has
     * died since. */
    _Atomic uint64_t answers[SCOREBOARD_CODES];
};

/* What one app thread runs, or ran last: what killed a worker is read from here. Written by that thread alone. */
enum { SCOREBOARD_REQUEST_SIZE = 192 };
struct scoreboard_call {
    _Alignas(64) _Atomic uint64_t since_ns; /* clock_ns() at its start, published; 0: none runs */
    char request
        [SCOREBOARD_REQUEST_SIZE]; /* its request line, or that of the last one; the worker terminates it */
};

/* One of the last restarts. */
enum { SCOREBOARD_RESTARTS = 16, SCOREBOARD_HOW_SIZE = 256 };
struct scoreboard_restart {
    _Atomic uint64_t number; /* from 1, published; 0: none, or it is being written */
    uint64_t at;             /* Unix time, s */
    uint32_t slot, pid;
    enum restart_cause cause;
    char how[SCOREBOARD_HOW_SIZE]; /* "was killed by signal 9 ..." */
};

/* Why the last reload failed: with --reload, workers say so in the application's place (app/worker_answers.h). */
enum { SCOREBOARD_FAILED_RELOAD_SIZE = 32 * 1024 };
struct scoreboard_failed_reload {
    _Atomic uint32_t number; /* twice how many there have been, published; odd: the text is being written */
    _Atomic uint32_t size;
    char text[SCOREBOARD_FAILED_RELOAD_SIZE]; /* the end of it, where there is more */
};

/* What is the service's: written by the master, for the status process and the workers to read. */
struct scoreboard_service {
    _Alignas(64) _Atomic uint64_t started; /* Unix time, s */
    _Atomic uint32_t generation;           /* of the application that serves: 1 since the start */
    _Atomic uint32_t stops;                /* it is not to be sent requests any more */
    _Atomic uint64_t restarts[RESTART_CAUSES];
    struct scoreboard_restart
        last_restarts[SCOREBOARD_RESTARTS]; /* number N is at (N - 1) % SCOREBOARD_RESTARTS */
    struct scoreboard_failed_reload failed_reload;
    struct log_gap error_log_gap, access_log_gap; /* here, so that an upgrade loses no count */
};

/* Each process's own, unlike what it points to. */
struct scoreboard {
    int memory; /* a descriptor, close-on-exec */
    uint32_t count, threads;
    uint32_t seats;          /* rows per slot: the seats of a slot are neighbours */
    uint64_t restarts;       /* that the master has noted */
    uint32_t failed_reloads; /* likewise */
    struct scoreboard_service *service;
    struct scoreboard_row *rows;   /* `count` */
    struct scoreboard_call *calls; /* `count` times `threads` */
};

/* Zeroed but for the start, `count` rows with `threads` calls for each; NULL and errno when the kernel has no memory. */
struct scoreboard *scoreboard_new(uint32_t count, uint32_t threads);
/* The same once more, from another's descriptor, which is taken. NULL and errno when it is not of that size. */
struct scoreboard *scoreboard_adopt(int memory, uint32_t count, uint32_t threads);
struct scoreboard_call *scoreboard_calls(struct scoreboard *board, uint32_t row); /* `threads` of them */
void scoreboard_forget(
    const struct scoreboard *board); /* in a child: lets go of the descriptor, and keeps the memory */
void scoreboard_free(struct scoreboard *board);

/* The thread's own: a call begins, with this request line; it ends. */
void scoreboard_call_begin(struct scoreboard_call *call, uint64_t now_ns, const char *line, size_t size);
void scoreboard_call_end(struct scoreboard_call *call);
/* Anybody's: how many calls of the row's worker run. */
uint32_t scoreboard_busy(struct scoreboard *board, uint32_t row);
/* Anybody's: the request under way, as a string, and since when; 0 when there is none, or it changes right now. */
uint64_t scoreboard_call_read(const struct scoreboard_call *call, char request[SCOREBOARD_REQUEST_SIZE]);

/* The master's. */
void scoreboard_note_restart(struct scoreboard *board, uint32_t slot, uint32_t pid, enum restart_cause cause,
                             const char *how);
/* A copy of the `age`th last one, 0 being the last. False when there is none, or it is being overwritten. */
bool scoreboard_read_restart(const struct scoreboard_service *service, uint64_t age,
                             struct scoreboard_restart *copy);

/* The master's: a reload has failed. */
void scoreboard_note_failed_reload(struct scoreboard *board, const char *text, size_t size);
/* A worker's: the number at present, and, when there has been another since, its text, `*size` bytes. False when there has been none, or
 * it is being written. */
uint32_t scoreboard_failed_reloads(const struct scoreboard_failed_reload *failed_reload);
bool scoreboard_read_failed_reload(const struct scoreboard_failed_reload *failed_reload, uint32_t since,
                                   char text[SCOREBOARD_FAILED_RELOAD_SIZE], size_t *size);

/* Its worker has refused requests just now, because no thread took them in time. */
bool scoreboard_is_saturated(const struct scoreboard_row *row, uint64_t now_ms);

/* As they are called in metrics. */
const char *worker_state_name(enum worker_state state);
const char *refusal_name(enum refusal refusal);
const char *handover_reason_name(enum handover_reason reason);
const char *restart_cause_name(enum restart_cause cause);

#define scoreboard_set(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define scoreboard_get(field)        atomic_load_explicit(&(field), memory_order_relaxed)
/* For a field that says that others are written: seen, they are too. */
#define scoreboard_publish(field, value) atomic_store_explicit(&(field), (value), memory_order_release)
#define scoreboard_see(field)            atomic_load_explicit(&(field), memory_order_acquire)
/* Only the row's one writer may use it: no locked instruction. */
#define scoreboard_add(field, value) scoreboard_set((field), scoreboard_get(field) + (value))
/* Where any thread may write. */
#define scoreboard_count(field, value) \
    ((void)atomic_fetch_add_explicit(&(field), (value), memory_order_relaxed))

#endif
