/*
 * Allocation that does not fail, and pools.
 */
#include "base/mem.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Uses neither stdio nor the log, which may allocate. _exit: exit handlers may allocate, too. */
static _Noreturn void out_of_memory(void)
{
    static const char text[] = "gateway: out of memory\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
    (void)written;
    _exit(EXIT_FAILURE);
}

static void *must(void *p)
{
    if (p == NULL)
        out_of_memory();
    return p;
}

/* A size of 0 yields a pointer that the caller frees: NULL would look like a failure. */
void *xmalloc(size_t size)
{
    return must(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    if (count == 0 || size == 0)
        count = size = 1;
    return must(calloc(count, size));
}

void *xrealloc(void *p, size_t size)
{
    return must(realloc(p, size > 0 ? size : 1));
}

void *xshared(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return must(p != MAP_FAILED ? p : NULL);
}

char *xstrdup(const char *text)
{
    return must(strdup(text));
}

char *xstrndup(const char *text, size_t size)
{
    return must(strndup(text, size));
}

char *xvasprintf(const char *format, va_list args)
{
    char *text;
    if (vasprintf(&text, format, args) < 0)
        out_of_memory();
    return text;
}

char *xasprintf(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = xvasprintf(format, args);
    va_end(args);
    return text;
}

/* The first bytes of a free block point to the next one. memcpy: a free block has no type. */
static void *block_next(const void *block)
{
    void *next;
    memcpy(&next, block, sizeof(next));
    return next;
}

void pool_init(struct pool *pool, size_t size, size_t keep)
{
    assert(size >= sizeof(void *));
    *pool = (struct pool){.size = size, .keep = keep};
}

void *pool_take(struct pool *pool)
{
    void *block = pool->free;
    if (block == NULL)
        return xmalloc(pool->size);
    pool->free = block_next(block);
    pool->free_count--;
    return block;
}

void pool_give(struct pool *pool, void *block)
{
    if (pool->free_count >= pool->keep) {
        free(block);
        return;
    }
    memcpy(block, &pool->free, sizeof(pool->free));
    pool->free = block;
    pool->free_count++;
}

void pool_fini(struct pool *pool)
{
    while (pool->free != NULL) {
        void *block = pool->free;
        pool->free = block_next(block);
        free(block);
    }
    pool->free_count = 0;
}
