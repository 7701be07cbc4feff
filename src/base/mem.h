/*
 * Allocation that does not fail, and pools of equal-sized blocks. Sizes are bytes. The allocators
 * may be called in any thread.
 *
 * Out of memory ends the process (exit status 1, one line on standard error); the master starts
 * another worker. Options bound the size of peers' data before it is allocated.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* Zeroed memory that later children share with this process; munmap frees it. */
void *xshared(size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t size);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A free list of blocks of one size. The last freed block is reused first, because it is still in
 * the cache. Not thread-safe: a pool belongs to the thread that holds its owner. At most `keep`
 * free blocks are kept. */
struct pool {
    size_t size; /* bytes of one block, at least sizeof(void *) */
    size_t keep; /* most free blocks kept; further ones go back to malloc */
    size_t free_count;
    void *free;
};

void pool_init(struct pool *pool, size_t size, size_t keep);
void *pool_take(struct pool *pool); /* uninitialised; the caller owns it until pool_give */
void pool_give(struct pool *pool, void *block);
void pool_fini(struct pool *pool); /* frees the free blocks; blocks in use stay with their owners */

#endif
