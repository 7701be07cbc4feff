/* The PROXY protocol: its two versions. */
#include "http/proxy_protocol.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "http/token.h"
#include "options/networks.h"

/* The longest line, with its end (2.1); the fixed part of version 2 (2.2). */
enum { LINE_MAX_SIZE = 107, HEAD_SIZE = 16 };

static const struct slice line_start = SLICE("PROXY ");
static const struct slice signature = SLICE("\r\n\r\n\0\r\nQUIT\n");

static bool may_begin_with(struct slice bytes, struct slice start)
{
    return memcmp(bytes.data, start.data, bytes.size < start.size ? bytes.size : start.size) == 0;
}

/* The protocol writes a number without leading zeros. */
static int port_parse(struct slice text, unsigned *port)
{
    uint64_t number;
    if (slice_to_uint64(text, &number) < 0 || number > UINT16_MAX || (text.size > 1 && text.data[0] == '0'))
        return -1;
    *port = (unsigned)number;
    return 0;
}

static int address_parse(struct slice text, bool v6, struct ip_address *address)
{
    bool colon = text.size > 0 && memchr(text.data, ':', text.size) != NULL;
    return colon == v6 ? ip_parse(text, address) : -1;
}

static void set_client(struct proxy_header *header, const struct ip_address *address, unsigned port)
{
    header->source = PROXY_CLIENT;
    header->has_client = true;
    ip_format(address, header->client.address);
    snprintf(header->client.port, sizeof(header->client.port), "%u", port & UINT16_MAX);
}

/* Words are separated by exactly one space. */
static struct slice next_word(struct slice *rest)
{
    const char *blank = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    struct slice word = {rest->data, blank != NULL ? (size_t)(blank - rest->data) : rest->size};
    size_t used = word.size + (blank != NULL);
    *rest = (struct slice){rest->data + used, rest->size - used};
    return word;
}

/* "TCP4 SOURCE DESTINATION PORT PORT", or "UNKNOWN" and any text. */
static int line_parse(struct slice line, struct proxy_header *header)
{
    struct ip_address source, destination;
    unsigned port, other;
    struct slice family = next_word(&line);
    if (slice_eq(family, SLICE("UNKNOWN"))) {
        header->source = PROXY_UNNAMED;
        return 0;
    }
    bool v6 = slice_eq(family, SLICE("TCP6"));
    if ((!v6 && !slice_eq(family, SLICE("TCP4"))) || address_parse(next_word(&line), v6, &source) < 0 ||
        address_parse(next_word(&line), v6, &destination) < 0 || port_parse(next_word(&line), &port) < 0)
        return -1;
    if (port_parse(line, &other) < 0)
        return -1;
    set_client(header, &source, port);
    return 0;
}

static int parse_v1(struct slice bytes, struct proxy_header *header)
{
    size_t span = bytes.size < LINE_MAX_SIZE ? bytes.size : LINE_MAX_SIZE;
    if (!may_begin_with(bytes, line_start))
        return -1;
    const char *end = memchr(bytes.data, '\n', span);
    if (end == NULL)
        return span < LINE_MAX_SIZE ? 0 : -1;
    size_t size = (size_t)(end + 1 - bytes.data);
    if (size < line_start.size + 2 || end[-1] != '\r')
        return -1;
    header->size = size;
    return line_parse((struct slice){bytes.data + line_start.size, size - line_start.size - 2}, header);
}

static unsigned word16(const char *bytes)
{
    return (unsigned)(uint8_t)bytes[0] << 8 | (uint8_t)bytes[1];
}

static void take_v4(const char *block, struct proxy_header *header)
{
    struct ip_address source = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}};
    memcpy(source.bytes + 12, block, 4);
    set_client(header, &source, word16(block + 8));
}

static void take_v6(const char *block, struct proxy_header *header)
{
    struct ip_address source;
    memcpy(source.bytes, block, sizeof(source.bytes));
    set_client(header, &source, word16(block + 32));
}

/* environ has no place for the path of a Unix-domain socket. */
static void take_unix(const char *block, struct proxy_header *header)
{
    (void)block;
    header->source = PROXY_UNNAMED;
    header->has_client = true;
}

static void take_nobody(const char *block, struct proxy_header *header)
{
    (void)block;
    header->source = PROXY_UNNAMED;
}

/* Family and transport in one byte. AF_UNSPEC, with any transport, is a connection that the proxy
 * cannot describe: it may be served with its real endpoints (2.2). */
static const struct {
    uint8_t family;
    unsigned size; /* of the addresses; TLVs follow them */
    void (*take)(const char *block, struct proxy_header *header);
} families[] = {
    {0x00, 0, take_nobody}, {0x01, 0, take_nobody}, {0x02, 0, take_nobody},
    {0x11, 12, take_v4},    {0x21, 36, take_v6},    {0x31, 216, take_unix},
};

static int block_parse(uint8_t family, struct slice block, struct proxy_header *header)
{
    for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
        if (families[i].family != family)
            continue;
        if (block.size < families[i].size)
            return -1;
        families[i].take(block.data, header);
        return 0;
    }
    header->unsupported = family;
    return -1;
}

const char *proxy_family_name(unsigned family)
{
    static const struct {
        unsigned family;
        const char *name;
    } names[] = {
        {0x10, "IPv4 with an unspecified transport"},
        {0x12, "UDP over IPv4"},
        {0x20, "IPv6 with an unspecified transport"},
        {0x22, "UDP over IPv6"},
        {0x30, "a Unix-domain socket with an unspecified transport"},
        {0x32, "Unix-domain datagrams"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].family == family)
            return names[i].name;
    return "a family or transport that the protocol does not define";
}

static int parse_v2(struct slice bytes, struct proxy_header *header)
{
    enum { LOCAL = 0x20, PROXY = 0x21 };
    if (!may_begin_with(bytes, signature))
        return -1;
    if (bytes.size < HEAD_SIZE)
        return 0;
    uint8_t command = (uint8_t)bytes.data[12], family = (uint8_t)bytes.data[13];
    size_t size = HEAD_SIZE + word16(bytes.data + 14);
    if (command != LOCAL && command != PROXY)
        return -1;
    if (bytes.size < size)
        return 0;
    header->size = size;
    return command == LOCAL
               ? 0
               : block_parse(family, (struct slice){bytes.data + HEAD_SIZE, size - HEAD_SIZE}, header);
}

int proxy_header_parse(enum proxy_version version, struct slice bytes, struct proxy_header *header)
{
    *header = (struct proxy_header){.size = 0};
    if (version == PROXY_AUTO)
        version = bytes.data[0] == signature.data[0] ? PROXY_V2 : PROXY_V1;
    return version == PROXY_V2 ? parse_v2(bytes, header) : parse_v1(bytes, header);
}
