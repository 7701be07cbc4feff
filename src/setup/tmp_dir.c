/* --tmp-dir: a child that has the user's rights tries the directory. */
#include "setup/tmp_dir.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/spool.h"
#include "proc/fork.h"
#include "proc/privileges.h"

/* Does what a spool does, with the rights of this process. 0, or errno. */
static int try_spool(const char *directory)
{
    int fd = spool_open(directory);
    if (fd < 0)
        return errno;
    close(fd);
    return 0;
}

static void be_user(const char *directory)
{
    char unused[256];
    _exit(privileges_drop(unused, sizeof(unused)) == 0 ? try_spool(directory) : 0);
}

/* Returns 0, or errno. Tries as the user, because root may write everywhere. */
static int try_directory(const char *directory)
{
    int status;
    if (privileges_user() == (uid_t)-1)
        return try_spool(directory);
    pid_t pid = fork_quietly();
    if (pid == 0)
        be_user(directory);
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 0;
}

static bool is_named(const struct options *options)
{
    return strcmp(options->tmp_dir, "/tmp") != 0;
}

int tmp_dir_check(const struct options *options, char *message, size_t size)
{
    int error = is_named(options) ? try_directory(options->tmp_dir) : 0;
    if (error == 0)
        return 0;
    snprintf(message, size, "gateway: --tmp-dir: no file can be made in %s: %s", options->tmp_dir,
             strerror(error));
    return -1;
}

void tmp_dir_warn(const struct options *options)
{
    int error = is_named(options) ? 0 : try_directory(options->tmp_dir);
    if (error != 0)
        log_warning(
            "bodies too large for memory will be refused: no file can be made in %s: %s; name another "
            "directory with --tmp-dir",
            options->tmp_dir, strerror(error));
}
