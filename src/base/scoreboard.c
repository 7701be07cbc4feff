/*
 * The scoreboard's memory: one anonymous mapping of rows and calls, shared over fork. See scoreboard.h.
 */
#include "base/scoreboard.h"

#include "base/mem.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

static const char *const state_names[WORKER_STATES] = {
    [WORKER_NONE] = "none",     [WORKER_FAILED] = "failed", [WORKER_BOOTING] = "booting",
    [WORKER_LOADED] = "loaded", [WORKER_READY] = "ready",   [WORKER_DRAINING] = "draining",
};

static size_t shared_size(uint32_t count, uint32_t threads)
{
    return (size_t)count * (sizeof(struct scoreboard_row) + threads * sizeof(struct scoreboard_call));
}

struct scoreboard *scoreboard_new(uint32_t count, uint32_t threads)
{
    void *memory =
        mmap(NULL, shared_size(count, threads), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct scoreboard *board = xcalloc(1, sizeof(*board));
    board->count = count;
    board->threads = threads;
    board->rows = memory;
    board->calls = (struct scoreboard_call *)&board->rows[count];
    return board;
}

struct scoreboard_call *scoreboard_calls(struct scoreboard *board, uint32_t row)
{
    return &board->calls[(size_t)row * board->threads];
}

void scoreboard_free(struct scoreboard *board)
{
    if (board == NULL)
        return;
    munmap(board->rows, shared_size(board->count, board->threads));
    free(board);
}

const char *worker_state_name(enum worker_state state)
{
    assert(state < WORKER_STATES);
    return state_names[state];
}
