/*
 * The scoreboard's memory: a nameless file, mapped and shared over fork.
 */
#include "base/scoreboard.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SATURATED_MS = 2000, CALL_TRIES = 4 };

static size_t shared_size(uint32_t count, uint32_t threads)
{
    return sizeof(struct scoreboard_service) +
           (size_t)count * (sizeof(struct scoreboard_row) + threads * sizeof(struct scoreboard_call));
}

/* Makes memory of a fixed size: a file that shrinks would kill the processes that read it. A
 * descriptor, or -1 and errno. */
static int make_memory(size_t size)
{
    int fd = memfd_create("gateway scoreboard", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static struct scoreboard *map(int memory, uint32_t count, uint32_t threads)
{
    void *mapped = mmap(NULL, shared_size(count, threads), PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    if (mapped == MAP_FAILED)
        return NULL;
    struct scoreboard *board = xcalloc(1, sizeof(*board));
    board->memory = memory;
    board->count = count;
    board->threads = threads;
    board->seats = 1;
    board->service = mapped;
    board->rows = (struct scoreboard_row *)&board->service[1];
    board->calls = (struct scoreboard_call *)&board->rows[count];
    return board;
}

struct scoreboard *scoreboard_new(uint32_t count, uint32_t threads)
{
    int memory = make_memory(shared_size(count, threads));
    if (memory < 0)
        return NULL;
    struct scoreboard *board = map(memory, count, threads);
    if (board == NULL) {
        int error = errno;
        close(memory);
        errno = error;
        return NULL;
    }
    scoreboard_set(board->service->started, (uint64_t)time(NULL));
    scoreboard_set(board->service->generation, 1);
    return board;
}

struct scoreboard *scoreboard_adopt(int memory, uint32_t count, uint32_t threads)
{
    struct stat status;
    if (fstat(memory, &status) < 0)
        return NULL;
    if ((size_t)status.st_size == shared_size(count, threads))
        return map(memory, count, threads);
    errno = EINVAL;
    return NULL;
}

void scoreboard_forget(const struct scoreboard *board)
{
    close(board->memory);
}

struct scoreboard_call *scoreboard_calls(struct scoreboard *board, uint32_t row)
{
    return &board->calls[(size_t)row * board->threads];
}

void scoreboard_free(struct scoreboard *board)
{
    if (board == NULL)
        return;
    munmap(board->service, shared_size(board->count, board->threads));
    close(board->memory);
    free(board);
}

/* The fence orders the writes: a reader that sees any part of the new line also sees that the call
 * before has ended. */
void scoreboard_call_begin(struct scoreboard_call *call, uint64_t now_ns, const char *line, size_t size)
{
    if (size > SCOREBOARD_REQUEST_SIZE - 1)
        size = SCOREBOARD_REQUEST_SIZE - 1;
    atomic_thread_fence(memory_order_release);
    memcpy(call->request, line, size);
    call->request[size] = '\0';
    scoreboard_publish(call->since_ns, now_ns);
}

void scoreboard_call_end(struct scoreboard_call *call)
{
    scoreboard_set(call->since_ns, 0);
}

/* The text belongs to the call if the thread runs the same call before and after the copy. */
static bool copy_call(const struct scoreboard_call *call, uint64_t *since,
                      char request[SCOREBOARD_REQUEST_SIZE])
{
    *since = scoreboard_see(call->since_ns);
    if (*since == 0)
        return true;
    memcpy(request, call->request, SCOREBOARD_REQUEST_SIZE);
    request[SCOREBOARD_REQUEST_SIZE - 1] = '\0';
    atomic_thread_fence(memory_order_acquire);
    return scoreboard_get(call->since_ns) == *since;
}

uint32_t scoreboard_busy(struct scoreboard *board, uint32_t row)
{
    const struct scoreboard_call *calls = scoreboard_calls(board, row);
    uint32_t busy = 0;
    for (uint32_t i = 0; i < board->threads; i++)
        busy += scoreboard_get(calls[i].since_ns) != 0;
    return busy;
}

uint64_t scoreboard_call_read(const struct scoreboard_call *call, char request[SCOREBOARD_REQUEST_SIZE])
{
    uint64_t since;
    for (int tries = 0; tries < CALL_TRIES; tries++)
        if (copy_call(call, &since, request))
            return since;
    return 0; /* calls this short are over by now */
}

void scoreboard_note_restart(struct scoreboard *board, uint32_t slot, uint32_t pid, enum restart_cause cause,
                             const char *how)
{
    struct scoreboard_service *service = board->service;
    uint64_t number = ++board->restarts;
    struct scoreboard_restart *restart = &service->last_restarts[(number - 1) % SCOREBOARD_RESTARTS];
    assert(cause < RESTART_CAUSES);
    scoreboard_set(restart->number, 0);
    atomic_thread_fence(memory_order_release);
    restart->at = (uint64_t)time(NULL);
    restart->slot = slot;
    restart->pid = pid;
    restart->cause = cause;
    snprintf(restart->how, sizeof(restart->how), "%s", how);
    scoreboard_publish(restart->number, number);
    scoreboard_add(service->restarts[cause], 1);
}

static uint64_t count_restarts(const struct scoreboard_service *service)
{
    uint64_t count = 0;
    for (int i = 0; i < RESTART_CAUSES; i++)
        count += scoreboard_get(service->restarts[i]);
    return count;
}

bool scoreboard_read_restart(const struct scoreboard_service *service, uint64_t age,
                             struct scoreboard_restart *copy)
{
    uint64_t count = count_restarts(service);
    if (age >= count || age >= SCOREBOARD_RESTARTS)
        return false;
    uint64_t number = count - age;
    const struct scoreboard_restart *restart = &service->last_restarts[(number - 1) % SCOREBOARD_RESTARTS];
    if (scoreboard_see(restart->number) != number)
        return false;
    memcpy(copy, restart, sizeof(*copy));
    copy->how[SCOREBOARD_HOW_SIZE - 1] = '\0';
    atomic_thread_fence(memory_order_acquire);
    return scoreboard_get(restart->number) == number && copy->cause < RESTART_CAUSES;
}

/* Cuts a long text at the front, at the start of a UTF-8 character. */
void scoreboard_note_failed_reload(struct scoreboard *board, const char *text, size_t size)
{
    struct scoreboard_failed_reload *failed_reload = &board->service->failed_reload;
    size_t kept = size < SCOREBOARD_FAILED_RELOAD_SIZE ? size : SCOREBOARD_FAILED_RELOAD_SIZE;
    while (kept > 0 && kept < size && ((unsigned char)text[size - kept] & 0xc0) == 0x80)
        kept--;
    uint32_t number = 2 * ++board->failed_reloads;
    scoreboard_set(failed_reload->number, number - 1);
    atomic_thread_fence(memory_order_release);
    scoreboard_set(failed_reload->size, (uint32_t)kept);
    memcpy(failed_reload->text, text + size - kept, kept);
    scoreboard_publish(failed_reload->number, number);
}

uint32_t scoreboard_failed_reloads(const struct scoreboard_failed_reload *failed_reload)
{
    return scoreboard_get(failed_reload->number) & ~1U;
}

bool scoreboard_read_failed_reload(const struct scoreboard_failed_reload *failed_reload, uint32_t since,
                                   char text[SCOREBOARD_FAILED_RELOAD_SIZE], size_t *size)
{
    uint32_t number = scoreboard_see(failed_reload->number);
    if (number == since || number % 2 != 0)
        return false;
    *size = scoreboard_get(failed_reload->size);
    if (*size > SCOREBOARD_FAILED_RELOAD_SIZE)
        return false;
    memcpy(text, failed_reload->text, *size);
    atomic_thread_fence(memory_order_acquire);
    return scoreboard_get(failed_reload->number) == number;
}

bool scoreboard_is_saturated(const struct scoreboard_row *row, uint64_t now_ms)
{
    uint64_t refused = scoreboard_get(row->refused_ms);
    return refused != 0 && now_ms < refused + SATURATED_MS;
}

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[WORKER_STATES] = {
        [WORKER_NONE] = "none",       [WORKER_FAILED] = "failed", [WORKER_BOOTING] = "booting",
        [WORKER_LOADED] = "loaded",   [WORKER_READY] = "ready",   [WORKER_DRAINING] = "draining",
        [WORKER_STALLED] = "stalled",
    };
    assert(state < WORKER_STATES && names[state] != NULL);
    return names[state];
}

const char *refusal_name(enum refusal refusal)
{
    static const char *const names[REFUSALS] = {
        [REFUSAL_MALFORMED] = "malformed",   [REFUSAL_SLOW] = "slow",
        [REFUSAL_TOO_LARGE] = "too_large",   [REFUSAL_UNSUPPORTED] = "unsupported",
        [REFUSAL_NO_STORAGE] = "no_storage", [REFUSAL_NO_THREAD] = "no_thread",
        [REFUSAL_TIMEOUT] = "timeout",
    };
    assert(refusal < REFUSALS && names[refusal] != NULL);
    return names[refusal];
}

const char *handover_reason_name(enum handover_reason reason)
{
    static const char *const names[HANDOVER_REASONS] = {
        [HANDOVER_BALANCE] = "balance", [HANDOVER_BUSY] = "busy", [HANDOVER_RETIRE] = "retire"};
    assert(reason < HANDOVER_REASONS && names[reason] != NULL);
    return names[reason];
}

const char *restart_cause_name(enum restart_cause cause)
{
    static const char *const names[RESTART_CAUSES] = {
        [RESTART_EXITED] = "exited",   [RESTART_SIGNAL] = "signal", [RESTART_KILLED] = "killed",
        [RESTART_STUCK] = "stuck",     [RESTART_ASKED] = "asked",   [RESTART_RECYCLED] = "recycled",
        [RESTART_STALLED] = "stalled",
    };
    assert(cause < RESTART_CAUSES && names[cause] != NULL);
    return names[cause];
}
