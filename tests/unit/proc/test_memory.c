/*
 * Memory that a process uses, alone or with others.
 */
#include "proc/memory.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const struct {
    const char *name, *text;
    int result;
    uint64_t resident, shared;
} cases[] = {
    {"what the kernel says",
     "55d000-7ffd000 ---p 00000000 00:00 0    [rollup]\n"
     "Rss:               17640 kB\nPss:                9106 kB\nPss_Dirty:          5432 kB\n"
     "Shared_Clean:       8192 kB\nShared_Dirty:       1024 kB\nPrivate_Clean:      2012 kB\n"
     "Private_Dirty:      6412 kB\nAnonymous:          7436 kB\n",
     0, 17640, 9216},
    {"nothing is shared", "x\nRss: 5 kB\nShared_Clean: 0 kB\nShared_Dirty: 0 kB\n", 0, 5, 0},
    {"a field is missing", "x\nRss: 5 kB\nShared_Dirty: 0 kB\n", -1, 0, 0},
    {"a number is missing", "x\nRss: kB\nShared_Clean: 0 kB\nShared_Dirty: 0 kB\n", -1, 0, 0},
    {"nothing", "", -1, 0, 0},
};

START_TEST(the_text_is_understood)
{
    struct memory memory;
    ck_assert_msg(memory_parse(cases[_i].text, &memory) == cases[_i].result, "%s", cases[_i].name);
    if (cases[_i].result < 0)
        return;
    ck_assert_uint_eq(memory.resident, cases[_i].resident);
    ck_assert_uint_eq(memory.shared, cases[_i].shared);
}
END_TEST

enum { BLOCK = 64 << 20 };

START_TEST(what_a_fork_has_in_common_is_shared)
{
    struct memory memory;
    char *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(block, 1, BLOCK);
    if (memory_read(getpid(), &memory) < 0)
        return; /* a kernel that does not say */
    ck_assert_uint_lt(memory.shared, BLOCK / 1024 / 2);
    pid_t pid = fork();
    if (pid == 0)
        pause();
    ck_assert_int_eq(memory_read(pid, &memory), 0);
    ck_assert_uint_ge(memory.resident, BLOCK / 1024);
    ck_assert_uint_ge(memory.shared, BLOCK / 1024);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    ck_assert_int_eq(memory_read(pid, &memory), -1);
}
END_TEST

START_TEST(resident_memory_is_seen)
{
    size_t size = 32 << 20;
    uint64_t before = memory_resident(getpid());
    ck_assert_uint_gt(before, 100000);
    char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(memory, 1, size);
    ck_assert_uint_gt(memory_resident(getpid()), before + size / 2);
    munmap(memory, size);
}
END_TEST

START_TEST(a_process_that_is_gone_has_none)
{
    ck_assert_uint_eq(memory_resident(0), 0);
    ck_assert_uint_eq(memory_resident(1 << 30), 0);
}
END_TEST

static void add(TCase *tests)
{
    tcase_add_test(tests, resident_memory_is_seen);
    tcase_add_test(tests, a_process_that_is_gone_has_none);
    unit_add_rows(tests, the_text_is_understood, cases);
    tcase_add_test(tests, what_a_fork_has_in_common_is_shared);
}

int main(void)
{
    return unit_run("proc/memory", add);
}
