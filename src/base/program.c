/* The file of this program, as the kernel was told it. */
#include "base/program.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/mem.h"

static const char *path;

void program_remember(void)
{
    const unsigned long value = getauxval(AT_EXECFN); /* the kernel's way to pass a pointer */
    const char *name;
    memcpy(&name, &value, sizeof(name));
    char *directory = getcwd(NULL, 0);
    path = name[0] == '/' || directory == NULL ? xstrdup(name) : xasprintf("%s/%s", directory, name);
    free(directory);
}

const char *program_path(void)
{
    return path;
}
