/*
 * The fields in which proxies name the client that they speak for: X-Forwarded-For, -Proto, -Host,
 * -Port and -Prefix, or Forwarded (RFC 7239).
 *
 * Any client can send these fields, so they are believed only as far as their writers are trusted.
 * The walk begins with our peer. While the speaker is trusted, its item names the next speaker. So
 * the walk goes from right to left, as each proxy adds its item at the right. It ends at the first
 * speaker that is not trusted, which is the client, or at an item that is no address ("unknown", a
 * hidden name, nonsense). Items at the left of that are the client's own invention.
 *
 *     X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7    (the peer: 10.0.0.1; trusted: 10.0.0.0/8)
 *                      invented   the client   a proxy
 *
 * Of the other lists, the item of the walk's outermost proxy counts, or the leftmost item when
 * there are fewer: most proxies replace the list by one item. A wrong value counts as absent: a
 * scheme other than http and https, a Host that the parser would refuse, a prefix that is no safe
 * path.
 *
 * Only fields in --forwarded-headers are believed (options/forwarded_fields.h), by default For and
 * Proto. A proxy passes on a field that it does not set, so any other field is the client's own.
 * The same holds for the parameters of Forwarded. Where X-Forwarded-For is not believed there is no
 * walk, and the rightmost item of each list counts.
 *
 * When both families are there, Forwarded is not read: far more proxies set the other one, and pass
 * Forwarded on unchanged.
 *
 * No sockets and no Python: the result depends only on the section and on the trusted networks.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include <stdbool.h>

#include "http/endpoint.h"
#include "http/header_section.h"
#include "options/forwarded_fields.h"
#include "options/networks.h"

/* The first names are in the order of enum forwarded_part. */
enum forwarded_name {
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED_PORT,
    FORWARDED_PREFIX,
    FORWARDED_BY,
    FORWARDED_ALL, /* the field Forwarded */
    FORWARDED_NAMES
};

enum forwarded_scheme { SCHEME_UNSAID, SCHEME_HTTP, SCHEME_HTTPS };

/* The values that are believed. The slices point into the block itself. */
struct forwarded {
    const struct forwarded_fields *fields; /* the fields that may be believed */
    struct peer_endpoint client;           /* the port is empty unless a proxy gave it */
    bool has_client;                       /* else the client is our peer */
    enum forwarded_scheme scheme;
    struct slice host; /* for HTTP_HOST; data is NULL where Host stays as it is */
    bool host_said;    /* a proxy gave a host, and not only a port for Host */
    struct slice name; /* for SERVER_NAME: the given host without its port */
    /* For SERVER_PORT; empty: the scheme's when scheme or host was given, else the
         * listener's. */
    struct slice port;
    bool prefix_said;    /* for SCRIPT_NAME: */
    struct slice prefix; /* without a slash at its end, decoded */
    /* A believed prefix that is no safe path; data is NULL when there is none. */
    struct slice prefix_refused;
    /* The walk ended at `client`, which is private, and more items stand at the left of it. */
    bool cut_at_private;
    /* The believed part of each field. An application that reads the field itself gets this part,
     * so that it is not misled. data is NULL when nothing is believed. */
    struct slice kept[FORWARDED_NAMES];
};

/* True for a field that only a trusted peer may send: those above, other X-Forwarded-*, X-Real-IP,
 * X-Client-IP. */
bool forwarded_is_name(struct slice name);
/* The name among those above, or FORWARDED_NAMES. */
enum forwarded_name forwarded_find_name(struct slice name);
/* For a section with `forwarding`: true when a field must not be shown as it was sent. `forwarded`
 * is the request's; NULL: the sender is not trusted. X-Real-IP and X-Client-IP are shown unless
 * they name another client than the one found. */
bool forwarded_hides(const struct forwarded *forwarded, struct slice name, struct slice value);
/* Whether the client came by https, as far as is known. `forwarded` may be NULL. */
bool forwarded_is_https(const struct forwarded *forwarded, const struct local_endpoint *local);

/* Reads a section that a trusted peer has sent. `fields` must outlive the result. Never NULL;
 * free() releases it. */
struct forwarded *forwarded_new(const struct header_section *section, const struct networks *trusted,
                                const struct forwarded_fields *fields);
/* The same, made once and kept with the section. For the thread that runs the loop. */
const struct forwarded *forwarded_of(struct header_section *section, const struct networks *trusted,
                                     const struct forwarded_fields *fields);

#endif
