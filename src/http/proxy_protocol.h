/*
 * The PROXY protocol (haproxy's proxy-protocol.txt): a header in front of a connection's first
 * byte. A load balancer that does not speak HTTP names the client with it. Version 1 is a line of
 * text, version 2 is binary. Pure and strict: text that differs from the protocol is no header.
 */
#ifndef HTTP_PROXY_PROTOCOL_H
#define HTTP_PROXY_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "http/endpoint.h"

/* The choices of --proxy-protocol, in their order. */
enum proxy_version { PROXY_OFF, PROXY_V1, PROXY_V2, PROXY_AUTO };

enum proxy_source {
    PROXY_ITSELF,  /* the connection is the proxy's own, a health check (LOCAL) */
    PROXY_CLIENT,  /* the connection is of `client` */
    PROXY_UNNAMED, /* the header does not name the client (UNKNOWN, UNSPEC, a Unix-domain socket) */
};

struct proxy_header {
    size_t size; /* of the header in bytes; 0: more is needed */
    enum proxy_source source;
    struct peer_endpoint client; /* empty for a client of a Unix-domain socket */
    bool has_client;             /* `client` takes the peer's place */
    /* After -1: the family and transport (2.2), when nothing else was wrong; else 0. */
    unsigned unsupported;
};

/* `bytes` holds everything that has arrived, at least one byte. -1 as soon as it cannot become a
 * header of that version. */
int proxy_header_parse(enum proxy_version version, struct slice bytes, struct proxy_header *header);
/* The name of an unsupported family and transport, for a message. */
const char *proxy_family_name(unsigned family);

#endif
