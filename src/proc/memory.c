/* How much memory a process uses, and how much of that others use too. */
#include "proc/memory.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The number after "\nNAME:". */
static int find(const char *text, const char *name, uint64_t *value)
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
    if (find(text, "Rss", &memory->resident) < 0 || find(text, "Shared_Clean", &clean) < 0 ||
        find(text, "Shared_Dirty", &dirty) < 0)
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
