/*
 * Allocation that does not fail, and pools of equal-sized blocks.
 *
 * Out of memory ends the process (exit status 1, one line on standard error); the master starts another worker.
 * What a peer can make large is bounded by an option before it is allocated.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
/* Zeros that later children share with this process; munmap frees them. */
void *xshared(size_t size);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t size);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

/* A free list of blocks of one size, last in first out so that what is reused is still in the cache.
 * Not thread-safe: a pool belongs to whoever holds its owner. At most `keep` free blocks are kept. */
struct pool {
    size_t size; /* bytes of one block, at least sizeof(void *) */
    size_t keep; /* free blocks kept at most; the rest go back to malloc */
    size_t free_count;
    void *free;
};

void pool_init(struct pool *pool, size_t size, size_t keep);
void *pool_take(struct pool *pool); /* uninitialised; the caller owns it until pool_give */
void pool_give(struct pool *pool, void *block);
void pool_fini(struct pool *pool); /* releases the free blocks; those still taken stay with their owners */

#endif
