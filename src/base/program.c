/* The way in which this program was started. */
#include "base/program.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char *path;
static char *const *arguments;
static int start_directory;
static char *start_name;

/* As `pwd -L` does (POSIX): a shell names its directory with the links that the user followed. */
static char *find_name(void)
{
    const char *told = getenv("PWD");
    struct stat named, here;
    bool is_name =
        told != NULL && told[0] == '/' && strstr(told, "/./") == NULL && strstr(told, "/../") == NULL;
    if (is_name && stat(told, &named) == 0 && stat(".", &here) == 0 && named.st_dev == here.st_dev &&
        named.st_ino == here.st_ino)
        return xstrdup(told);
    char *directory = getcwd(NULL, 0);
    return directory != NULL ? directory : xstrdup(".");
}

/* The kernel keeps the file name that execve was given. */
void program_remember(char **argv)
{
    const unsigned long value = getauxval(AT_EXECFN); /* the kernel passes a pointer in this way */
    const char *name;
    memcpy(&name, &value, sizeof(name));
    free(start_name);
    start_name = find_name();
    path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", start_name, name);
    arguments = argv;
    start_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

const char *program_directory(void)
{
    return start_name;
}

char *program_directory_now(void)
{
    char link[64], target[PATH_MAX];
    struct stat status;
    if (stat(start_name, &status) == 0 && S_ISDIR(status.st_mode))
        return xstrdup(start_name);
    snprintf(link, sizeof(link), "/proc/self/fd/%d", start_directory);
    ssize_t size = readlink(link, target, sizeof(target) - 1);
    return size > 0 ? xstrndup(target, (size_t)size) : xstrdup(start_name);
}

const char *program_path(void)
{
    return path;
}

char *const *program_arguments(void)
{
    return arguments;
}

char **program_arguments_with(char *option)
{
    size_t count = 0;
    while (arguments[count] != NULL)
        count++;
    char **argv = xcalloc(count + 2, sizeof(*argv));
    argv[0] = arguments[0];
    argv[1] = option;
    memcpy(&argv[2], &arguments[1], (count - 1) * sizeof(*argv));
    return argv;
}

void program_execute(char *const *argv)
{
    if (chdir(start_name) == 0 || fchdir(start_directory) == 0)
        execv(path, argv);
}
