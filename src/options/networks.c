/* Internet addresses, and lists of networks. */
#include "options/networks.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/text.h"

enum { ALL_BITS = 128, MAPPED_BITS = 96, ITEM_SHOWN = 64 };

static const uint8_t mapped[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_mapped(const struct ip_address *address)
{
    return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

int ip_parse(struct slice text, struct ip_address *address)
{
    char copy[IP_TEXT_SIZE];
    struct ip_address found;
    /* inet_pton would take a NUL for the end of the text. */
    if (text.size == 0 || text.size >= sizeof(copy) || memchr(text.data, '\0', text.size) != NULL)
        return -1;
    memcpy(copy, text.data, text.size);
    copy[text.size] = '\0';
    memcpy(found.bytes, mapped, sizeof(mapped));
    if (inet_pton(AF_INET, copy, found.bytes + sizeof(mapped)) != 1 &&
        inet_pton(AF_INET6, copy, found.bytes) != 1)
        return -1;
    *address = found;
    return 0;
}

void ip_format(const struct ip_address *address, char out[IP_TEXT_SIZE])
{
    if (is_mapped(address))
        inet_ntop(AF_INET, address->bytes + sizeof(mapped), out, IP_TEXT_SIZE);
    else
        inet_ntop(AF_INET6, address->bytes, out, IP_TEXT_SIZE);
}

static bool in_network(const struct network *network, const struct ip_address *address)
{
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address.bytes, address->bytes, bytes) != 0)
        return false;
    return rest == 0 || (network->address.bytes[bytes] ^ address->bytes[bytes]) >> (8 - rest) == 0;
}

/* Whether the address is the first of its network. 10.1.2.3/8 is refused, because its author means
 * another network than 10.0.0.0/8. */
static bool is_first(const struct network *network)
{
    struct ip_address lowest = {{0}};
    unsigned bytes = network->bits / 8, rest = network->bits % 8;
    memcpy(lowest.bytes, network->address.bytes, bytes);
    if (rest > 0)
        lowest.bytes[bytes] = (uint8_t)(network->address.bytes[bytes] & ~(0xff >> rest));
    return memcmp(&lowest, &network->address, sizeof(lowest)) == 0;
}

/* Returns NULL, or a text about the mistake. */
static const char *network_parse(struct slice text, struct network *network)
{
    const char *slash = memchr(text.data, '/', text.size);
    struct slice address = {text.data, slash != NULL ? (size_t)(slash - text.data) : text.size};
    if (ip_parse(address, &network->address) < 0)
        return "which is no address";
    bool v4 = memchr(address.data, ':', address.size) == NULL;
    uint64_t bits = v4 ? 32 : ALL_BITS;
    if (slash != NULL) {
        uint64_t most = bits;
        struct slice number = {slash + 1, text.size - address.size - 1};
        if (slice_to_uint64(number, &bits) < 0 || bits > most)
            return v4 ? "whose length is not 0 to 32" : "whose length is not 0 to 128";
    }
    network->bits = (unsigned)bits + (v4 ? MAPPED_BITS : 0);
    return is_first(network) ? NULL : "whose address has bits beyond its length";
}

static const char *add_item(struct networks *networks, struct slice item)
{
    struct network network;
    if (slice_eq(item, SLICE("*"))) {
        networks->all = true;
        return NULL;
    }
    if (slice_eq(item, SLICE("unix"))) {
        networks->unix_domain = true;
        return NULL;
    }
    const char *why = network_parse(item, &network);
    if (why != NULL)
        return why;
    networks->items = xrealloc(networks->items, (networks->count + 1) * sizeof(network));
    networks->items[networks->count++] = network;
    return NULL;
}

int networks_parse(struct networks *networks, const char *list, char *wrong, size_t size)
{
    char shown[ITEM_SHOWN];
    struct slice rest = slice_of(list);
    *networks = (struct networks){.items = NULL};
    while (rest.data != NULL) {
        struct slice item = slice_next(&rest, ',');
        const char *why = item.size > 0 ? add_item(networks, item) : NULL;
        if (why == NULL)
            continue;
        shown[text_escape(shown, sizeof(shown) - 1, item.data, item.size, false)] = '\0';
        snprintf(wrong, size, "has \"%s\" in it, %s (addresses, ADDRESS/BITS, unix or *)", shown, why);
        networks_free(networks);
        return -1;
    }
    return 0;
}

void networks_free(struct networks *networks)
{
    free(networks->items);
    *networks = (struct networks){.items = NULL};
}

bool networks_have(const struct networks *networks, const struct ip_address *address)
{
    for (size_t i = 0; i < networks->count; i++)
        if (in_network(&networks->items[i], address))
            return true;
    return networks->all;
}

bool networks_have_peer(const struct networks *networks, const char *address)
{
    struct ip_address parsed;
    if (address[0] == '\0')
        return networks->unix_domain || networks->all;
    return ip_parse(slice_of(address), &parsed) == 0 && networks_have(networks, &parsed);
}

bool address_is_private(const char *address)
{
    static const struct network networks[] = {
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10}}, MAPPED_BITS + 8},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 172, 16}}, MAPPED_BITS + 12},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168}}, MAPPED_BITS + 16},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}}, MAPPED_BITS + 8},
        {{{0xfc}}, 7},
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}, ALL_BITS},
    };
    struct ip_address parsed;
    if (address[0] == '\0')
        return true;
    if (ip_parse(slice_of(address), &parsed) < 0)
        return false;
    for (size_t i = 0; i < sizeof(networks) / sizeof(networks[0]); i++)
        if (in_network(&networks[i], &parsed))
            return true;
    return false;
}
