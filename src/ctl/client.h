/*
 * A request to a service over its control socket (doc/control-protocol.txt), and its response. One
 * thread.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>
#include <stdio.h>

enum client_outcome {
    CLIENT_OK,
    CLIENT_FAILED,      /* the service refused */
    CLIENT_UNREACHABLE, /* no response, or an incomplete one */
};

/* Sends a request and copies the lines of the response to `out` as they arrive. Blocks for at most
 * `seconds` without data from the service; 0: without limit. Unless the outcome is CLIENT_OK,
 * `message` has one sentence. */
enum client_outcome client_ask(const char *path, const char *request, unsigned seconds, FILE *out,
                               char *message, size_t size);

#endif
