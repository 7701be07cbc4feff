/*
 * The control groups of this process, by the lines of /proc/self/cgroup.
 */
#include "proc/cgroup.h"

#include "unit.h"

static const struct {
    const char *name, *line, *controller, *directory; /* NULL: it is of another hierarchy */
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

static void add(TCase *tests)
{
    unit_add_rows(tests, a_line_names_a_directory, lines);
}

int main(void)
{
    return unit_run("proc/cgroup", add);
}
