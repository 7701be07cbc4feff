/*
 * The headers of the PROXY protocol: whole, in pieces, and malformed.
 */
#include "http/proxy_protocol.h"

#include "unit.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(rest)  SLICE(SIGNATURE rest "GET")
#define V4        "\xcb\0\x71\x09\xc0\0\x02\x01\x12\x67\x01\xbb"
#define V6 \
    "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x12\x67\x01\xbb"
#define TLV      \
    "\x04\0\x03" \
    "abc"        \
    "\x20\0\x01" \
    "x"

/* "GET" follows each header that is whole. */
static const struct {
    const char *name;
    enum proxy_version version;
    struct slice bytes;
    const char *address, *port; /* NULL: there is no client in it */
    enum proxy_source source;
} headers[] = {
    {"a line with IPv4", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\nGET"), "203.0.113.9",
     "4711", PROXY_CLIENT},
    {"a line with IPv6", PROXY_V1, SLICE("PROXY TCP6 2001:DB8::9 2001:db8::1 4711 443\r\nGET"), "2001:db8::9",
     "4711", PROXY_CLIENT},
    {"the longest line", PROXY_V1,
     SLICE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff9 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
           "65535\r\nGET"),
     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff9", "65535", PROXY_CLIENT},
    {"unknown", PROXY_V1, SLICE("PROXY UNKNOWN\r\nGET"), NULL, NULL, PROXY_UNNAMED},
    {"unknown, and what may follow", PROXY_V1,
     SLICE("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "65535 "
           "65535\r\nGET"),
     NULL, NULL, PROXY_UNNAMED},
    {"ports at their ends", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 65535 0\r\nGET"), "203.0.113.9",
     "65535", PROXY_CLIENT},
    {"a line, found out", PROXY_AUTO, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\nGET"),
     "203.0.113.9", "4711", PROXY_CLIENT},
    {"binary with IPv4", PROXY_V2, V2("\x21\x11\0\x0c" V4), "203.0.113.9", "4711", PROXY_CLIENT},
    {"binary with IPv6", PROXY_V2, V2("\x21\x21\0\x24" V6), "2001:db8::9", "4711", PROXY_CLIENT},
    {"TLVs are skipped", PROXY_V2, V2("\x21\x11\0\x16" V4 TLV), "203.0.113.9", "4711", PROXY_CLIENT},
    {"nonsense in their place too", PROXY_V2, V2("\x21\x11\0\x0e" V4 "\xff\xff"), "203.0.113.9", "4711",
     PROXY_CLIENT},
    {"the proxy's own", PROXY_V2, V2("\x20\0\0\0"), NULL, NULL, PROXY_ITSELF},
    {"the proxy's own, with addresses that mean nothing", PROXY_V2, V2("\x20\x11\0\x0c" V4), NULL, NULL,
     PROXY_ITSELF},
    {"of no family", PROXY_V2, V2("\x21\0\0\x0a" TLV), NULL, NULL, PROXY_UNNAMED},
    {"of no family, with a transport", PROXY_V2, V2("\x21\x01\0\x00"), NULL, NULL, PROXY_UNNAMED},
    {"of no family, with another transport", PROXY_V2,
     V2("\x21\x02\0\x03"
        "abc"),
     NULL, NULL, PROXY_UNNAMED},
    {"the proxy's own, of a family that is not supported", PROXY_V2, V2("\x20\x12\0\x0c" V4), NULL, NULL,
     PROXY_ITSELF},
    {"binary, found out", PROXY_AUTO, V2("\x21\x11\0\x0c" V4), "203.0.113.9", "4711", PROXY_CLIENT},
};

/* With any smaller number of bytes the parser asks for more. It does not look at the bytes behind
 * the header. */
START_TEST(a_header_is_read_when_it_is_whole)
{
    struct slice bytes = headers[_i].bytes;
    struct proxy_header header;
    for (size_t size = 1; size <= bytes.size; size++) {
        const char *name = headers[_i].name;
        ck_assert_msg(proxy_header_parse(headers[_i].version, (struct slice){bytes.data, size}, &header) == 0,
                      "%s, %zu bytes", name, size);
        ck_assert_msg(header.size == (size >= bytes.size - 3 ? bytes.size - 3 : 0), "%s, %zu bytes: %zu",
                      name, size, header.size);
    }
    ck_assert_msg(header.source == headers[_i].source, "%s: %d", headers[_i].name, header.source);
    ck_assert_msg(header.has_client == (headers[_i].address != NULL), "%s", headers[_i].name);
    if (header.has_client) {
        ck_assert_str_eq(header.client.address, headers[_i].address);
        ck_assert_str_eq(header.client.port, headers[_i].port);
    }
}
END_TEST

static const struct {
    const char *name;
    enum proxy_version version;
    struct slice bytes;
} nones[] = {
    {"a request", PROXY_AUTO, SLICE("G")},
    {"a line where binary is due", PROXY_V2, SLICE("P")},
    {"binary where a line is due", PROXY_V1, SLICE("\r")},
    {"small letters", PROXY_V1, SLICE("PROXy")},
    {"another family", PROXY_V1, SLICE("PROXY UDP4 203.0.113.9 192.0.2.1 4711 443\r\n")},
    {"a family that only begins so", PROXY_V1, SLICE("PROXY UNKNOWNS\r\n")},
    {"no family", PROXY_V1, SLICE("PROXY \r\n")},
    {"nothing", PROXY_V1, SLICE("PROXY\r\n")},
    {"IPv6 as IPv4", PROXY_V1, SLICE("PROXY TCP4 2001:db8::9 2001:db8::1 4711 443\r\n")},
    {"IPv4 as IPv6", PROXY_V1, SLICE("PROXY TCP6 203.0.113.9 192.0.2.1 4711 443\r\n")},
    {"a destination that is none", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 x 4711 443\r\n")},
    {"a port that is too large", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 65536 443\r\n")},
    {"a port with a zero in front", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 04711 443\r\n")},
    {"a port with a sign", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 +4711 443\r\n")},
    {"no destination port", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711\r\n")},
    {"one word more", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443 1\r\n")},
    {"two blanks", PROXY_V1, SLICE("PROXY TCP4  203.0.113.9 192.0.2.1 4711 443\r\n")},
    {"a blank at the end", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443 \r\n")},
    {"a tab", PROXY_V1, SLICE("PROXY TCP4\t203.0.113.9 192.0.2.1 4711 443\r\n")},
    {"a NUL", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9\0 192.0.2.1 4711 443\r\n")},
    {"a bare LF", PROXY_V1, SLICE("PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\n")},
    {"107 bytes without an end", PROXY_V1,
     SLICE("PROXY UNKNOWN "
           "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
           "123456789012")},
    {"a signature with another byte", PROXY_V2, SLICE("\r\n\r\n\0\r\nQUIX")},
    {"another version", PROXY_V2, SLICE(SIGNATURE "\x11\x11\0\x0c")},
    {"another command", PROXY_V2, SLICE(SIGNATURE "\x22\x11\0\x0c")},
    {"addresses that are too short", PROXY_V2, SLICE(SIGNATURE "\x21\x11\0\x0b" V4)},
    {"IPv6 addresses of IPv4's size", PROXY_V2, SLICE(SIGNATURE "\x21\x21\0\x0c" V4)},
};

START_TEST(what_is_no_header_is_refused)
{
    struct proxy_header header;
    ck_assert_msg(proxy_header_parse(nones[_i].version, nones[_i].bytes, &header) == -1, "%s",
                  nones[_i].name);
    ck_assert_uint_eq(header.unsupported, 0);
}
END_TEST

static const struct {
    const char *name;
    struct slice bytes;
    unsigned family;
} families[] = {
    {"UDP over IPv4", SLICE(SIGNATURE "\x21\x12\0\x0c" V4), 0x12},
    {"IPv4 with an unspecified transport", SLICE(SIGNATURE "\x21\x10\0\x0c" V4), 0x10},
    {"a family or transport that the protocol does not define", SLICE(SIGNATURE "\x21\x41\0\x0c" V4), 0x41},
    {"a family or transport that the protocol does not define", SLICE(SIGNATURE "\x21\x03\0\0"), 0x03},
};

START_TEST(a_family_that_is_not_supported_is_named)
{
    struct proxy_header header;
    ck_assert_int_eq(proxy_header_parse(PROXY_V2, families[_i].bytes, &header), -1);
    ck_assert_uint_eq(header.unsupported, families[_i].family);
    ck_assert_str_eq(proxy_family_name(header.unsupported), families[_i].name);
}
END_TEST

START_TEST(a_client_of_a_unix_domain_socket_has_no_address)
{
    char bytes[16 + 216] = SIGNATURE "\x21\x31\0\xd8/run/a";
    struct proxy_header header;
    ck_assert_int_eq(proxy_header_parse(PROXY_AUTO, (struct slice){bytes, sizeof(bytes)}, &header), 0);
    ck_assert_uint_eq(header.size, sizeof(bytes));
    ck_assert(header.has_client);
    ck_assert_int_eq(header.source, PROXY_UNNAMED);
    ck_assert_str_eq(header.client.address, "");
    ck_assert_str_eq(header.client.port, "");
}
END_TEST

static void add(TCase *tests)
{
    unit_add_rows(tests, a_header_is_read_when_it_is_whole, headers);
    unit_add_rows(tests, what_is_no_header_is_refused, nones);
    unit_add_rows(tests, a_family_that_is_not_supported_is_named, families);
    tcase_add_test(tests, a_client_of_a_unix_domain_socket_has_no_address);
}

int main(void)
{
    return unit_run("http/proxy_protocol", add);
}
