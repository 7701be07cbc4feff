/*
 * The scoreboard: what every worker is doing, in memory shared by the master and all workers. Nothing on disk.
 *
 * One anonymous MAP_SHARED region made by the master before the first fork; a row of its own cache lines per worker, or seat of
 * one: a row passes from a worker to the next in its seat.
 * A worker writes its own row with relaxed atomics (scoreboard_add, scoreboard_set); the master and the siblings read.
 * The master alone writes pid and state for a worker that is not there.
 *
 * The master may be root where the workers are not, so it believes no row: what it reads is a number or text that may be any,
 * and where the rows are it knows by itself.
 */
#ifndef BASE_SCOREBOARD_H
#define BASE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>

enum worker_state {
    WORKER_NONE,     /* no process in this seat */
    WORKER_FAILED,   /* the application could not be loaded, and that is told */
    WORKER_BOOTING,  /* forked; the application is being imported */
    WORKER_LOADED,   /* it is; the worker does not serve yet */
    WORKER_READY,    /* serving */
    WORKER_DRAINING, /* told to stop: finishes what it has */
    WORKER_STATES
};

/* Why a connection moves to another worker, see net/handover.h. */
enum handover_reason { HANDOVER_BALANCE, HANDOVER_BUSY, HANDOVER_RETIRE, HANDOVER_REASONS };

/* How many bytes of the request in progress are kept for the post-mortem. */
enum { SCOREBOARD_REQUEST_SIZE = 192 };

struct scoreboard_row {
    _Alignas(64) _Atomic uint32_t pid;
    _Atomic uint32_t generation;  /* of the reload that its worker is of */
    _Atomic uint32_t state;       /* enum worker_state */
    _Atomic uint32_t connections; /* open now */
    _Atomic uint32_t ready;       /* requests complete and waiting for a thread */
    _Atomic uint32_t
        orphaned; /* of the first row of a slot, by the master: the others take what comes to it */
    _Atomic uint32_t in_post; /* of the first row of a slot: connections on their way to it; written by all */
    _Atomic uint64_t progress; /* turns of the event loop: a stuck worker's stands still */
    _Atomic uint64_t requests; /* answered since the row was made: survives the worker */
    _Atomic uint64_t accepted; /* connections, likewise */
    _Atomic uint64_t handed_over[HANDOVER_REASONS]; /* likewise */
};

/* What one app thread runs, or ran last: what killed a worker is read from here. Written by that thread alone. */
struct scoreboard_call {
    _Alignas(64) _Atomic uint64_t since_ms; /* clock_ms() at its start, published; 0: none runs */
    char request
        [SCOREBOARD_REQUEST_SIZE]; /* its request line, or that of the last one; the worker terminates it */
};

/* Each process's own, unlike what it points to. */
struct scoreboard {
    uint32_t count, threads;
    struct scoreboard_row *rows;   /* `count` */
    struct scoreboard_call *calls; /* `count` times `threads` */
};

/* Zeroed, `count` rows with `threads` calls for each; NULL and errno when the kernel has no memory. */
struct scoreboard *scoreboard_new(uint32_t count, uint32_t threads);
struct scoreboard_call *scoreboard_calls(struct scoreboard *board, uint32_t row); /* `threads` of them */
void scoreboard_free(struct scoreboard *board);

const char *worker_state_name(enum worker_state state);

#define scoreboard_set(field, value) atomic_store_explicit(&(field), (value), memory_order_relaxed)
#define scoreboard_get(field)        atomic_load_explicit(&(field), memory_order_relaxed)
/* For a field that says that others are written: seen, they are too. */
#define scoreboard_publish(field, value) atomic_store_explicit(&(field), (value), memory_order_release)
#define scoreboard_see(field)            atomic_load_explicit(&(field), memory_order_acquire)
/* Only the row's one writer may use it: no locked instruction. */
#define scoreboard_add(field, value) scoreboard_set((field), scoreboard_get(field) + (value))

#endif
