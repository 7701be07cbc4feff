/* The listening sockets in the heritage: slots, then the socket file (whether it is ours, device, inode), then the descriptors. */
#include "upgrade/address_heritage.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proc/directory.h"

enum { FIRST_SOCKET = 4 };

void address_bequeath(const struct address *address, const char *key, struct heritage *heritage)
{
    unsigned sockets = address->shared ? 1 : address->slots;
    uint64_t *numbers = xcalloc(FIRST_SOCKET + sockets, sizeof(*numbers));
    numbers[0] = address->slots;
    numbers[1] = address->owns_path;
    numbers[2] = address->path_device;
    numbers[3] = address->path_inode;
    for (unsigned i = 0; i < sockets; i++)
        numbers[FIRST_SOCKET + i] = heritage_keep(heritage, address->sockets[i]);
    heritage_add(heritage, key, address->text, numbers, FIRST_SOCKET + sockets);
    free(numbers);
}

const struct heritage_line *address_inherit(struct address *address, const char *key, const char *option,
                                            const struct heritage *heritage,
                                            const struct heritage_line *after)
{
    const struct heritage_line *line = heritage_next(heritage, key, after, FIRST_SOCKET + 1);
    if (line == NULL)
        return NULL;
    unsigned count = (unsigned)(line->count - FIRST_SOCKET);
    int *sockets = xcalloc(count, sizeof(*sockets));
    for (unsigned i = 0; i < count; i++)
        sockets[i] = (int)line->numbers[FIRST_SOCKET + i];
    int r = address_adopt(address, option, line->text, sockets, count, (unsigned)line->numbers[0]);
    free(sockets);
    address_settle(address, directory_base());
    address->owns_path = line->numbers[1];
    address->path_device = (dev_t)line->numbers[2];
    address->path_inode = (ino_t)line->numbers[3];
    return r == 0 ? line : NULL;
}
