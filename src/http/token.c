/*
 * Character classes of RFC 9110 and 9112, and the scans built on them. This is grammar alone: other
 * modules know what a field means.
 */
#include <arpa/inet.h>

#include "http/token.h"

enum {
    VISIBLE = CHAR_VALUE | CHAR_TARGET, /* delimiters: '"', '<', '{', ... */
    DELIMITER = VISIBLE | CHAR_HOST,    /* sub-delims of RFC 3986 that are not tchar */
    SYMBOL = VISIBLE | CHAR_TOKEN,      /* tchar that a host cannot hold */
    NAME = SYMBOL | CHAR_HOST,          /* letters, and the tchar that are unreserved or sub-delims */
    HEX = NAME | CHAR_HEX,
    DIGIT = HEX | CHAR_DIGIT,
};

/* The bytes that are absent, controls and DEL, belong to no class. */
const uint8_t char_classes[256] = {
    ['\t'] = CHAR_VALUE,
    [' '] = CHAR_VALUE,
    ['!'] = NAME,
    ['"'] = VISIBLE,
    ['#'] = CHAR_VALUE | CHAR_TOKEN, /* a fragment is never sent */
    ['$' ... '\''] = NAME,
    ['(' ... ')'] = DELIMITER,
    ['*' ... '+'] = NAME,
    [','] = DELIMITER,
    ['-' ... '.'] = NAME,
    ['/'] = VISIBLE,
    ['0' ... '9'] = DIGIT,
    [':'] = VISIBLE,
    [';'] = DELIMITER,
    ['<'] = VISIBLE,
    ['='] = DELIMITER,
    ['>' ... '@'] = VISIBLE,
    ['A' ... 'F'] = HEX,
    ['G' ... 'Z'] = NAME,
    ['[' ... ']'] = VISIBLE,
    ['^'] = SYMBOL,
    ['_'] = NAME,
    ['`'] = SYMBOL,
    ['a' ... 'f'] = HEX,
    ['g' ... 'z'] = NAME,
    ['{'] = VISIBLE,
    ['|'] = SYMBOL,
    ['}'] = VISIBLE,
    ['~'] = NAME,
    [0x80 ... 0xff] = CHAR_VALUE, /* obs-text */
};

bool slice_all(struct slice s, int class)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!char_is((unsigned char)s.data[i], class))
            return false;
    }
    return true;
}

bool slice_is_token(struct slice s)
{
    return s.size > 0 && slice_all(s, CHAR_TOKEN);
}

int hex_value(unsigned char c)
{
    if (!char_is(c, CHAR_HEX))
        return -1;
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The same byte in all eight places of a word. */
#define EACH(byte) (0x0101010101010101u * (byte))

/* True when all eight bytes are at least SP and none is DEL. HTAB makes it false: it is rare, and
 * then bytes are looked at one by one. */
static bool word_is_plain(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    uint64_t del = word ^ EACH(0x7f);
    uint64_t low = (word - EACH(0x20)) & ~word;
    uint64_t zero = (del - EACH(1)) & ~del;
    return ((low | zero) & EACH(0x80)) == 0;
}

size_t value_span(struct slice s)
{
    size_t i = 0;
    while (s.size - i >= 8 && word_is_plain(s.data + i))
        i += 8;
    while (i < s.size && char_is((unsigned char)s.data[i], CHAR_VALUE))
        i++;
    return i;
}

bool escapes_are_whole(struct slice s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (s.data[i] != '%')
            continue;
        if (s.size - i < 3 || !char_is((unsigned char)s.data[i + 1], CHAR_HEX) ||
            !char_is((unsigned char)s.data[i + 2], CHAR_HEX))
            return false;
    }
    return true;
}

size_t path_decode(char *out, struct slice path)
{
    size_t written = 0;
    for (size_t i = 0; i < path.size; i++) {
        char c = path.data[i];
        if (c == '%') {
            c = (char)(hex_value((unsigned char)path.data[i + 1]) * 16 +
                       hex_value((unsigned char)path.data[i + 2]));
            i += 2;
        }
        out[written++] = c;
    }
    return written;
}

static bool is_ipv6(struct slice s)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr address;
    /* A NUL would end the text for inet_pton. */
    if (s.size >= sizeof(text) || memchr(s.data, '\0', s.size) != NULL)
        return false;
    memcpy(text, s.data, s.size);
    text[s.size] = '\0';
    return inet_pton(AF_INET6, text, &address) == 1;
}

/* "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" ), RFC 3986 3.2.2. */
static bool is_ip_future(struct slice s)
{
    size_t i = 1;
    if (s.size == 0 || (s.data[0] | 0x20) != 'v')
        return false;
    while (i < s.size && char_is((unsigned char)s.data[i], CHAR_HEX))
        i++;
    if (i == 1 || i + 1 >= s.size || s.data[i] != '.')
        return false;
    for (i++; i < s.size; i++)
        if (s.data[i] == '%' || (s.data[i] != ':' && !char_is((unsigned char)s.data[i], CHAR_HOST)))
            return false;
    return true;
}

/* port = *DIGIT (RFC 3986 3.2.3): it may be empty, and must not be over 65535. */
static bool is_port(struct slice s)
{
    uint64_t port;
    return s.size == 0 || (slice_to_uint64(s, &port) == 0 && port <= 65535);
}

bool slice_is_host(struct slice s)
{
    bool literal = s.size > 0 && s.data[0] == '[';
    const char *end = s.size > 0 ? memchr(s.data, literal ? ']' : ':', s.size) : NULL;
    if (literal && end == NULL)
        return false;

    size_t size = end == NULL ? s.size : (size_t)(end - s.data);
    struct slice host = {s.data, size};
    struct slice rest = {s.data + size + literal, s.size - size - literal};
    if (rest.size > 0 && (rest.data[0] != ':' || !is_port((struct slice){rest.data + 1, rest.size - 1})))
        return false;
    if (literal) {
        struct slice address = {host.data + 1, host.size - 1};
        return is_ipv6(address) || is_ip_future(address);
    }
    return host.size > 0 && slice_all(host, CHAR_HOST) && escapes_are_whole(host);
}

static const char *port_colon(struct slice host)
{
    const char *colon = host.size > 0 ? memrchr(host.data, ':', host.size) : NULL;
    if (colon != NULL && memchr(colon, ']', host.size - (size_t)(colon - host.data)) != NULL)
        return NULL;
    return colon;
}

struct slice host_name(struct slice host)
{
    const char *colon = port_colon(host);
    return colon != NULL ? (struct slice){host.data, (size_t)(colon - host.data)} : host;
}

struct slice host_port(struct slice host)
{
    const char *colon = port_colon(host);
    if (colon == NULL)
        return (struct slice){"", 0};
    return (struct slice){colon + 1, host.size - (size_t)(colon - host.data) - 1};
}
