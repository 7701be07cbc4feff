/*
 * Internet addresses, and lists of addresses and networks, as in --forwarded-allow-ips. No sockets.
 * Any thread.
 *
 *   192.0.2.1   10.0.0.0/8   2001:db8::/32   unix   *
 *
 * IPv4 addresses are stored as IPv6 maps them (::ffff:192.0.2.1). So both kinds compare alike, and
 * a client of a dual-stack socket has the same address as in IPv4.
 */
#ifndef OPTIONS_NETWORKS_H
#define OPTIONS_NETWORKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum { IP_TEXT_SIZE = 46 }; /* with the NUL */

struct ip_address {
    uint8_t bytes[16];
};

/* Reads an address without brackets and zone. 0, or -1 when the text is no address. */
int ip_parse(struct slice text, struct ip_address *address);
void ip_format(const struct ip_address *address, char out[IP_TEXT_SIZE]);

struct network {
    struct ip_address address;
    unsigned bits; /* length of the prefix, of 128 */
};

struct networks {
    struct network *items;
    size_t count;
    bool all;         /* "*" */
    bool unix_domain; /* "unix" */
};

/* Reads a list with commas between the items and optional white space around them. The list may be
 * empty. 0; or -1 and a verb with its object in `wrong`: then nothing is to be freed. */
int networks_parse(struct networks *networks, const char *list, char *wrong, size_t size);
void networks_free(struct networks *networks);

bool networks_have(const struct networks *networks, const struct ip_address *address);
/* As networks_have, for an address as text. An empty text is the address of a Unix-domain
 * socket. */
bool networks_have_peer(const struct networks *networks, const char *address);
/* Whether the address, as text, is of this machine or of a private network (RFC 1918, RFC 4193).
 * True for an empty text. */
bool address_is_private(const char *address);

#endif
