/* The control groups of this process. */
#include "proc/cgroup.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Among names with commas between them. */
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

/* "4:cpu,memory:/path", or "0::/path" */
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

static int find(const char *controller, char *directory, size_t size)
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

int cgroup_directory(char *directory, size_t size)
{
    return find(NULL, directory, size);
}

/* Of the files that hold it, the line is the same: "oom_kill 3". */
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

int64_t cgroup_oom_kills(void)
{
    char directory[512];
    int64_t kills = -1;
    if (cgroup_directory(directory, sizeof(directory)) == 0)
        kills = read_oom_kills(directory, "memory.events");
    if (kills < 0 && find("memory", directory, sizeof(directory)) == 0)
        kills = read_oom_kills(directory, "memory.oom_control");
    if (kills < 0) /* in a container the path may be the one that its host sees */
        kills = read_oom_kills(CGROUP_ROOT "/memory", "memory.oom_control");
    return kills;
}
