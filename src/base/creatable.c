/* Whether a file could be made: a look at its directory. */
#include "base/creatable.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/place.h"

int creatable_check(const char *path)
{
    struct place place;
    if (place_find(&place, path) < 0)
        return -1;
    int r = faccessat(place.directory, ".", W_OK | X_OK, AT_EACCESS);
    int error = errno;
    place_close(&place);
    errno = error;
    return r;
}
