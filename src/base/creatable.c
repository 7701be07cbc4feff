/* Whether a file could be made: a look at its directory. */
#include "base/creatable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

int creatable_check(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *directory = slash != NULL ? xstrndup(path, (size_t)(slash + 1 - path)) : xstrdup(".");
    int r = faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS);
    int error = errno;
    free(directory);
    errno = error;
    return r;
}
