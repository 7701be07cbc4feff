/* The processors and the memory that the system lets a process use. */
#include "proc/resources.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CGROUP_ROOT "/sys/fs/cgroup"

struct process_stat process_stat_read(pid_t pid)
{
    struct process_stat stat = {0};
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    size_t size = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[size] = '\0';
    /* The program's name comes first, and may contain any byte. */
    const char *end = strrchr(text, ')');
    if (end == NULL || sscanf(end, ") %c %d", &stat.state, &stat.parent) != 2)
        return (struct process_stat){0};
    return stat;
}

/* True when `name` is among names with commas between them. */
static bool is_named(const char *names, size_t size, const char *name)
{
    size_t name_size = strlen(name);
    for (const char *end = names + size; names < end;) {
        size_t n = strcspn(names, ",:");
        if (n == name_size && memcmp(names, name, n) == 0)
            return true;
        names += n + 1;
    }
    return false;
}

/* A line is "4:cpu,memory:/path", or "0::/path". */
int cgroup_parse(const char *line, const char *controller, char *directory, size_t size)
{
    const char *names = strchr(line, ':');
    const char *path = names != NULL ? strchr(names + 1, ':') : NULL;
    if (path == NULL || path[1] != '/')
        return -1;
    names++;
    size_t names_size = (size_t)(path - names);
    if (controller == NULL ? names_size > 0 : !is_named(names, names_size, controller))
        return -1;
    int n = (int)strcspn(path + 1, "\n");
    int used = snprintf(directory, size, CGROUP_ROOT "%s%s%.*s", controller != NULL ? "/" : "",
                        controller != NULL ? controller : "", n, path + 1);
    return used >= 0 && (size_t)used < size ? 0 : -1;
}

static int cgroup_find(const char *controller, char *directory, size_t size)
{
    char line[400];
    int found = -1;
    FILE *file = fopen("/proc/self/cgroup", "re");
    if (file == NULL)
        return -1;
    while (found < 0 && fgets(line, sizeof(line), file) != NULL)
        found = cgroup_parse(line, controller, directory, size);
    fclose(file);
    return found;
}

/* The directory of our group in the unified hierarchy (version 2). 0, or -1: there is none. */
static int cgroup_directory(char *directory, size_t size)
{
    return cgroup_find(NULL, directory, size);
}

/* Reads the line "oom_kill 3", which is the same in both versions' files. */
static int64_t read_oom_kills(const char *directory, const char *name)
{
    char path[600], line[128];
    int64_t kills = -1;
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (kills < 0 && fgets(line, sizeof(line), file) != NULL)
        if (sscanf(line, "oom_kill %" SCNd64, &kills) != 1)
            kills = -1;
    fclose(file);
    return kills;
}

/* The number of processes that the kernel has killed for want of memory, in our group and, in
 * version 2, in those below it. -1: the kernel does not say. */
static int64_t cgroup_oom_kills(void)
{
    char directory[512];
    int64_t kills = -1;
    if (cgroup_directory(directory, sizeof(directory)) == 0)
        kills = read_oom_kills(directory, "memory.events");
    if (kills < 0 && cgroup_find("memory", directory, sizeof(directory)) == 0)
        kills = read_oom_kills(directory, "memory.oom_control");
    if (kills < 0) /* in a container the path may be the one that its host sees */
        kills = read_oom_kills(CGROUP_ROOT "/memory", "memory.oom_control");
    return kills;
}

static int64_t oom_kills_told; /* kills that were reported */

void oom_begin(void)
{
    oom_kills_told = cgroup_oom_kills();
}

bool oom_has_killed(void)
{
    if (cgroup_oom_kills() <= oom_kills_told)
        return false;
    oom_kills_told++;
    return true;
}

unsigned cpus_parse_quota(const char *cpu_max)
{
    long quota, period;
    if (sscanf(cpu_max, "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    return (unsigned)((quota * 100 + period - 1) / period); /* round up: a small quota is still one */
}

static unsigned cpus_quota(const char *directory)
{
    char path[544], text[64];
    snprintf(path, sizeof(path), "%s/cpu.max", directory);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    unsigned quota = fgets(text, sizeof(text), file) != NULL ? cpus_parse_quota(text) : 0;
    fclose(file);
    return quota;
}

/* The smallest quota of our cgroup and those above it; 0 when none has a quota. */
static unsigned cpus_smallest_quota(void)
{
    char directory[512];
    unsigned smallest = 0;
    if (cgroup_directory(directory, sizeof(directory)) < 0)
        return 0;
    while (strlen(directory) >= strlen(CGROUP_ROOT)) {
        unsigned quota = cpus_quota(directory);
        if (quota > 0 && (smallest == 0 || quota < smallest))
            smallest = quota;
        *strrchr(directory, '/') = '\0';
    }
    return smallest;
}

static unsigned cpus_by_affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

unsigned cpus_usable(char *reason, size_t size)
{
    unsigned cpus = cpus_by_affinity();
    unsigned quota = cpus_smallest_quota();
    unsigned allowed = (quota + 99) / 100;
    if (quota > 0 && allowed < cpus) {
        snprintf(reason, size, "%u of %u CPUs by the cgroup's quota of %u %%", allowed, cpus, quota);
        return allowed;
    }
    snprintf(reason, size, "%u CPU%s by affinity", cpus, cpus == 1 ? "" : "s");
    return cpus;
}

/* Reads the number after "\nNAME:". */
static int memory_field(const char *text, const char *name, uint64_t *value)
{
    char start[32], *end;
    snprintf(start, sizeof(start), "\n%s:", name);
    const char *found = strstr(text, start);
    if (found == NULL)
        return -1;
    const char *number = found + strlen(start);
    *value = strtoull(number, &end, 10);
    return end == number ? -1 : 0;
}

int memory_parse(const char *text, struct memory *memory)
{
    uint64_t clean, dirty;
    if (memory_field(text, "Rss", &memory->resident) < 0 || memory_field(text, "Shared_Clean", &clean) < 0 ||
        memory_field(text, "Shared_Dirty", &dirty) < 0)
        return -1;
    memory->shared = clean + dirty;
    return 0;
}

int memory_read(pid_t pid, struct memory *memory)
{
    char path[64], text[4096];
    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return -1;
    text[n] = '\0';
    return memory_parse(text, memory);
}

uint64_t memory_resident(pid_t pid)
{
    char path[32];
    uint64_t pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*u %" SCNu64, &pages) != 1)
        pages = 0;
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}
