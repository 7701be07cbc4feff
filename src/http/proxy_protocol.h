/*
 * The PROXY protocol (haproxy's proxy-protocol.txt): what a load balancer that knows no HTTP sends before a connection's first byte,
 * to say whose it is. Version 1 is a line of text, version 2 is binary. Pure; nothing is guessed: what differs from the protocol is no header.
 */
#ifndef HTTP_PROXY_PROTOCOL_H
#define HTTP_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "http/endpoint.h"

/* --proxy-protocol; in the order of its choices. */
enum proxy_version { PROXY_OFF, PROXY_V1, PROXY_V2, PROXY_AUTO };

enum proxy_source {
    PROXY_ITSELF, /* the connection is the proxy's own, a health check (LOCAL) */
    PROXY_CLIENT, /* `client` is behind it */
    PROXY_UNNAMED, /* a client that the header does not name is behind it (UNKNOWN, UNSPEC, a Unix-domain socket) */
};

struct proxy_header {
    size_t size; /* of the header in bytes; 0: more is needed */
    enum proxy_source source;
    struct peer_endpoint client; /* empty for one that came by a Unix-domain socket */
    bool has_client;             /* `client` takes the peer's place */
    unsigned unsupported;        /* after -1: family and transport (2.2), if nothing else was wrong; else 0 */
};

/* `bytes` is all that has arrived, at least one byte. -1 as soon as it cannot become a header of that version. */
int proxy_header_parse(enum proxy_version version, struct slice bytes, struct proxy_header *header);
/* What an unsupported family and transport is, for a message. */
const char *proxy_family_name(unsigned family);

#endif
