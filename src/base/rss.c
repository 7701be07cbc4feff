/* The resident memory of a process: /proc/PID/statm. */
#include "base/rss.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

uint64_t rss_of(pid_t pid)
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
