/* The file of this program, as the kernel was told it. */
#include "base/program.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/mem.h"

static const char *path;

void program_remember(void)
{
    const char *name = (const char *)(uintptr_t)getauxval(AT_EXECFN);
    char *directory = getcwd(NULL, 0);
    path = name[0] == '/' || directory == NULL ? xstrdup(name) : xasprintf("%s/%s", directory, name);
    free(directory);
}

const char *program_path(void)
{
    return path;
}
