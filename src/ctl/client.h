/*
 * A question to a service over its control socket (doc/control-protocol.txt), and its answer.
 */
#ifndef CTL_CLIENT_H
#define CTL_CLIENT_H

#include <stddef.h>
#include <stdio.h>

enum client_outcome {
    CLIENT_OK,
    CLIENT_FAILED,      /* the service says no */
    CLIENT_UNREACHABLE, /* it does not say anything, or not all */
};

/* Blocks, for `seconds` at most without a word from the service; 0: as long as it takes. The lines of the answer go to `out` as they
 * come. Unless all is well one sentence stands in `message`. */
enum client_outcome client_ask(const char *path, const char *request, unsigned seconds, FILE *out,
                               char *message, size_t size);

#endif
