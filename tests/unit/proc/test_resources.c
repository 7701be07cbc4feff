/*
 * Processors and memory: how many there are to use, and how much is used.
 */
#include "proc/resources.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

static const struct {
    const char *name, *line, *controller, *directory; /* NULL: the line is of another hierarchy */
} lines[] = {
    {"the unified one", "0::/user.slice/x.scope\n", NULL, "/sys/fs/cgroup/user.slice/x.scope"},
    {"its root", "0::/\n", NULL, "/sys/fs/cgroup/"},
    {"of version 1 when the unified one is wanted", "4:memory:/a\n", NULL, NULL},
    {"a named one", "1:name=systemd:/\n", NULL, NULL},
    {"a controller", "4:memory:/a/b\n", "memory", "/sys/fs/cgroup/memory/a/b"},
    {"one of two", "4:cpu,memory:/a\n", "memory", "/sys/fs/cgroup/memory/a"},
    {"the first of two", "4:memory,cpu:/a\n", "memory", "/sys/fs/cgroup/memory/a"},
    {"another", "4:cpu:/memory\n", "memory", NULL},
    {"one that begins so", "4:memory2:/\n", "memory", NULL},
    {"the unified one when a controller is wanted", "0::/memory\n", "memory", NULL},
    {"a path with colons", "4:memory:/a:b\n", "memory", "/sys/fs/cgroup/memory/a:b"},
    {"no newline", "0::/a", NULL, "/sys/fs/cgroup/a"},
    {"no path", "0::\n", NULL, NULL},
    {"nothing", "", NULL, NULL},
    {"too long a path", "0::/a/path/that/does/not/fit/into/sixty-four/bytes/at/all/or/so", NULL, NULL},
};

START_TEST(a_line_names_a_directory)
{
    char directory[64];
    int r = cgroup_parse(lines[_i].line, lines[_i].controller, directory, sizeof(directory));
    ck_assert_int_eq(r, lines[_i].directory != NULL ? 0 : -1);
    if (r == 0)
        ck_assert_str_eq(directory, lines[_i].directory);
}
END_TEST

static const struct {
    const char *text;
    unsigned quota;
} quotas[] = {
    {"max 100000\n", 0},
    {"100000 100000\n", 100},
    {"150000 100000\n", 150},
    {"50000 100000", 50},
    {"1000 1000000\n", 1},
    {"400000 100000\n", 400},
    {"", 0},
    {"\n", 0},
    {"100000\n", 0},
    {"0 100000\n", 0},
    {"-1 100000\n", 0},
    {"100000 0\n", 0},
    {"nonsense 5\n", 0},
    {"100 nonsense\n", 0},
};

START_TEST(a_quota_is_read)
{
    ck_assert_msg(cpus_parse_quota(quotas[_i].text) == quotas[_i].quota, "\"%s\": %u", quotas[_i].text,
                  cpus_parse_quota(quotas[_i].text));
}
END_TEST

START_TEST(there_is_at_least_one_and_a_reason)
{
    char reason[128];
    unsigned cpus = cpus_usable(reason, sizeof(reason));
    ck_assert_uint_ge(cpus, 1);
    ck_assert_ptr_nonnull(strstr(reason, "by "));
}
END_TEST

START_TEST(affinity_counts)
{
    cpu_set_t all, one;
    char reason[128];
    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    CPU_ZERO(&one);
    for (int i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &all))
            CPU_SET(i, &one);
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    ck_assert_uint_eq(cpus_usable(reason, sizeof(reason)), 1);
    ck_assert_str_eq(reason, "1 CPU by affinity");
}
END_TEST

static const struct {
    const char *name, *text;
    int result;
    uint64_t resident, shared;
} texts[] = {
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
    ck_assert_msg(memory_parse(texts[_i].text, &memory) == texts[_i].result, "%s", texts[_i].name);
    if (texts[_i].result < 0)
        return;
    ck_assert_uint_eq(memory.resident, texts[_i].resident);
    ck_assert_uint_eq(memory.shared, texts[_i].shared);
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

START_TEST(the_state_of_a_process_is_behind_its_name)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, "a) Z 1 (b", 0, 0, 0);
        raise(SIGSTOP);
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, NULL, WUNTRACED), pid);
    struct process_stat stopped = process_stat_read(pid);
    ck_assert_int_eq(stopped.state, 'T');
    ck_assert_int_eq(stopped.parent, getpid());
    kill(pid, SIGKILL);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    struct process_stat gone = process_stat_read(pid);
    ck_assert_int_eq(gone.state, 0);
    ck_assert_int_eq(gone.parent, 0);
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_line_names_a_directory, lines);
    unit_add_rows(tests, a_quota_is_read, quotas);
    tcase_add_test(tests, there_is_at_least_one_and_a_reason);
    tcase_add_test(tests, affinity_counts);
    unit_add_rows(tests, the_text_is_understood, texts);
    tcase_add_test(tests, what_a_fork_has_in_common_is_shared);
    tcase_add_test(tests, resident_memory_is_seen);
    tcase_add_test(tests, a_process_that_is_gone_has_none);
    tcase_add_test(tests, the_state_of_a_process_is_behind_its_name);
}

int main(void)
{
    return unit_run("proc/resources", add);
}
