/* The listening sockets in the upgrade state: slots, then the socket file (whether it is ours, device, inode), then the descriptors. */
#include "upgrade/address_state.h"

#include <stdlib.h>

#include "base/mem.h"
#include "proc/directory.h"

enum { FIRST_SOCKET = 4 };

void address_save(const struct address *address, const char *key, struct upgrade_state *saved)
{
    unsigned sockets = address->shared ? 1 : address->slots;
    uint64_t *numbers = xcalloc(FIRST_SOCKET + sockets, sizeof(*numbers));
    numbers[0] = address->slots;
    numbers[1] = address->owns_path;
    numbers[2] = address->path_device;
    numbers[3] = address->path_inode;
    for (unsigned i = 0; i < sockets; i++)
        numbers[FIRST_SOCKET + i] = upgrade_state_keep(saved, address->sockets[i]);
    upgrade_state_add(saved, key, address->text, numbers, FIRST_SOCKET + sockets);
    free(numbers);
}

const struct saved_line *address_load(struct address *address, const char *key, const char *option,
                                      const struct upgrade_state *saved, const struct saved_line *after)
{
    const struct saved_line *line = upgrade_state_next(saved, key, after, FIRST_SOCKET + 1);
    if (line == NULL)
        return NULL;
    unsigned count = (unsigned)(line->count - FIRST_SOCKET);
    int *sockets = xcalloc(count, sizeof(*sockets));
    for (unsigned i = 0; i < count; i++)
        sockets[i] = (int)line->numbers[FIRST_SOCKET + i];
    int r = address_adopt(address, option, line->text, sockets, count, (unsigned)line->numbers[0]);
    free(sockets);
    address_resolve_path(address, directory_base());
    address->owns_path = line->numbers[1];
    address->path_device = (dev_t)line->numbers[2];
    address->path_inode = (ino_t)line->numbers[3];
    return r == 0 ? line : NULL;
}
