/* How this program was started. */
#include "base/program.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/mem.h"

static const char *path;
static char *const *arguments;
static int start_directory;

/* Its name is what the kernel was told. */
void program_remember(char **argv)
{
    const unsigned long value = getauxval(AT_EXECFN); /* the kernel's way to pass a pointer */
    const char *name;
    memcpy(&name, &value, sizeof(name));
    char *directory = getcwd(NULL, 0);
    path = name[0] == '/' || directory == NULL ? xstrdup(name) : xasprintf("%s/%s", directory, name);
    free(directory);
    arguments = argv;
    start_directory = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
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
    if (fchdir(start_directory) == 0)
        execv(path, argv);
}
