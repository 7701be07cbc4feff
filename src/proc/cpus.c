/* How many processors this process may really use: affinity, and the quotas of its cgroups. */
#include "proc/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proc/cgroup.h"

unsigned cpus_parse_quota(const char *cpu_max)
{
    long quota, period;
    if (sscanf(cpu_max, "%ld %ld", &quota, &period) != 2 || quota <= 0 || period <= 0)
        return 0;
    return (unsigned)((quota * 100 + period - 1) / period); /* a little is not none */
}

static unsigned quota_of(const char *directory)
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

/* The smallest quota of our cgroup and those above it; 0 when none has one. */
static unsigned smallest_quota(void)
{
    char directory[512];
    unsigned smallest = 0;
    if (cgroup_directory(directory, sizeof(directory)) < 0)
        return 0;
    while (strlen(directory) >= strlen(CGROUP_ROOT)) {
        unsigned quota = quota_of(directory);
        if (quota > 0 && (smallest == 0 || quota < smallest))
            smallest = quota;
        *strrchr(directory, '/') = '\0';
    }
    return smallest;
}

static unsigned affinity(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        return (unsigned)CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

unsigned cpus_usable(char *reason, size_t size)
{
    unsigned cpus = affinity();
    unsigned quota = smallest_quota();
    unsigned allowed = (quota + 99) / 100;
    if (quota > 0 && allowed < cpus) {
        snprintf(reason, size, "%u of %u CPUs by the cgroup's quota of %u %%", allowed, cpus, quota);
        return allowed;
    }
    snprintf(reason, size, "%u CPU%s by affinity", cpus, cpus == 1 ? "" : "s");
    return cpus;
}
