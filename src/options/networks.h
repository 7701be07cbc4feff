/*
 * Internet addresses, and lists of those and of networks, as --forwarded-allow-ips has them. No sockets here.
 *
 *   192.0.2.1   10.0.0.0/8   2001:db8::/32   unix   *
 *
 * IPv4 addresses are kept as IPv6 maps them (::ffff:192.0.2.1), so that both are one kind, and a client of a dual-stack socket
 * is who it is.
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

/* Without brackets and zone. 0, or -1: it is none. */
int ip_parse(struct slice text, struct ip_address *address);
void ip_format(const struct ip_address *address, char out[IP_TEXT_SIZE]);

struct network {
    struct ip_address address;
    unsigned bits; /* of 128 */
};

struct networks {
    struct network *items;
    size_t count;
    bool all;         /* "*" */
    bool unix_domain; /* "unix" */
};

/* Commas between the items, and white space around them, which may be none at all. 0, or -1 and in `wrong` what is wrong with
 * the list, a verb and its object: then there is nothing to be freed. */
int networks_parse(struct networks *networks, const char *list, char *wrong, size_t size);
void networks_free(struct networks *networks);

bool networks_have(const struct networks *networks, const struct ip_address *address);
/* The same for an address as text; an empty one is that of a unix-domain socket. */
bool networks_have_peer(const struct networks *networks, const char *address);
/* Whether the address, as text, is of this machine or of a private network (RFC 1918, RFC 4193); an empty one is, too. */
bool address_is_private(const char *address);

#endif
