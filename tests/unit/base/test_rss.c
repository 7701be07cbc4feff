/*
 * The memory of processes.
 */
#include "base/rss.h"

#include <sys/mman.h>
#include <unistd.h>

#include "unit.h"

START_TEST(memory_that_is_used_is_seen)
{
    size_t size = 32 << 20;
    uint64_t before = rss_of(getpid());
    ck_assert_uint_gt(before, 100000);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 1, size);
    ck_assert_uint_gt(rss_of(getpid()), before + size / 2);
    munmap(memory, size);
}
END_TEST

START_TEST(who_is_not_there_has_none)
{
    ck_assert_uint_eq(rss_of(0), 0);
    ck_assert_uint_eq(rss_of(1 << 30), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, memory_that_is_used_is_seen);
    tcase_add_test(tests, who_is_not_there_has_none);
}

int main(void)
{
    return unit_run("base/rss", add);
}
