/*
 * Fuzz: a header of the PROXY protocol says the same in whatever pieces it arrives, and names an address. The first byte is the version.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "http/proxy_protocol.h"
#include "options/networks.h"

static int read_in_pieces(enum proxy_version version, struct slice bytes, struct proxy_header *header)
{
    int r = 0;
    for (size_t size = 1; r == 0 && size <= bytes.size; size++) {
        r = proxy_header_parse(version, (struct slice){bytes.data, size}, header);
        if (r == 0 && header->size > 0)
            break;
    }
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct proxy_header whole, pieces;
    struct ip_address address;
    if (size < 2)
        return 0;
    struct slice bytes = {(const char *)data + 1, size - 1 < 1024 ? size - 1 : 1024};
    enum proxy_version version = PROXY_V1 + data[0] % 3;
    int r = proxy_header_parse(version, bytes, &whole);
    if (r != read_in_pieces(version, bytes, &pieces) || whole.size > bytes.size)
        abort();
    if (r == 0 &&
        (whole.size != pieces.size || memcmp(&whole.client, &pieces.client, sizeof(whole.client)) != 0))
        abort();
    if (r == 0 && whole.client.port[0] != '\0' && ip_parse(slice_of(whole.client.address), &address) < 0)
        abort();
    return 0;
}
