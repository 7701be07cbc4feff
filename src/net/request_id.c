/* Request ids. */
#include "net/request_id.h"

#include <assert.h>
#include <unistd.h>

void request_id_make(struct request_ids *ids, char out[REQUEST_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    if (ids->left == 0) {
        int r = getentropy(ids->bytes, sizeof(ids->bytes));
        assert(r == 0);
        ids->left = sizeof(ids->bytes);
    }
    for (int i = 0; i < REQUEST_ID_SIZE; i += 2) {
        uint8_t byte = ids->bytes[--ids->left];
        out[i] = digits[byte >> 4];
        out[i + 1] = digits[byte & 15];
    }
}
