/*
 * The scoreboard's memory: one anonymous mapping, shared over fork. See scoreboard.h.
 */
#include "base/scoreboard.h"

#include <assert.h>
#include <stddef.h>
#include <sys/mman.h>

static const char *const state_names[WORKER_STATES] = {
    [WORKER_NONE] = "none",   [WORKER_FAILED] = "failed",     [WORKER_BOOTING] = "booting",
    [WORKER_READY] = "ready", [WORKER_DRAINING] = "draining",
};

static size_t board_size(uint32_t slots)
{
    return sizeof(struct scoreboard) + (size_t)slots * sizeof(struct scoreboard_row);
}

struct scoreboard *scoreboard_new(uint32_t slots)
{
    void *memory = mmap(NULL, board_size(slots), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    struct scoreboard *board = memory;
    board->slots = slots;
    return board;
}

void scoreboard_free(struct scoreboard *board)
{
    if (board != NULL)
        munmap(board, board_size(board->slots));
}

const char *worker_state_name(enum worker_state state)
{
    assert(state < WORKER_STATES);
    return state_names[state];
}
