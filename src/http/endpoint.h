/*
 * The two ends of a connection, as a request's environ shows them. Plain data: net fills it, and py
 * reads it.
 */
#ifndef HTTP_ENDPOINT_H
#define HTTP_ENDPOINT_H

#include <stdbool.h>
#include <stdint.h>

/* Our end. There is one per listening address, made before the first fork and never changed.
 * Compared by pointer. */
struct local_endpoint {
    char *server_name; /* never empty (PEP 3333) */
    char *server_port; /* never empty */
    bool https;
};

/* The client's end, as text with a NUL. Both are empty for a Unix-domain socket. */
struct peer_endpoint {
    char address[46]; /* INET6_ADDRSTRLEN */
    char port[6];
};

#endif
