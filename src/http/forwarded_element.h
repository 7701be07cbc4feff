/*
 * One item of Forwarded (RFC 7239 4), and what it, or an item of X-Forwarded-For, names: a node (6), which is an address, perhaps
 * with a port. Pure.
 */
#ifndef HTTP_FORWARDED_ELEMENT_H
#define HTTP_FORWARDED_ELEMENT_H

#include <stdbool.h>

#include "base/slice.h"
#include "http/endpoint.h"
#include "options/forwarded_fields.h"

/* Without their quotes; data is NULL for what is not there. */
struct forwarded_element {
    struct slice node; /* for= */
    struct slice proto;
    struct slice host;
};

/* False when it is malformed, says one of them twice, or needs a backslash: nothing that means something here does. */
bool forwarded_element_parse(struct slice text, struct forwarded_element *element);

/* Of elements that forwarded_element_parse accepted, between commas: those parameters that are believed, in `out`, which has room
 * for all of them. The size; nothing is terminated. Others are the client's, as far as is known. */
size_t forwarded_elements_keep(struct slice text, const struct forwarded_fields *fields, char *out);

/* ADDRESS, ADDRESS:PORT, [V6] or [V6]:PORT; V6 alone too, as X-Forwarded-For has it, and "unix:", which nginx calls clients of
 * its Unix-domain sockets. False when it is none: unknown, hidden or nonsense. A hidden port ("_x") is no port. */
bool forwarded_node_parse(struct slice text, struct peer_endpoint *endpoint);

#endif
