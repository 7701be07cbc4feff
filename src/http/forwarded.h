/*
 * What proxies say of the client they speak for: X-Forwarded-For, -Proto, -Host, -Port and -Prefix, or Forwarded (RFC 7239).
 *
 * Whoever sends a request can write these fields, so they are believed as far as those are trusted who wrote them. The walk
 * begins with our peer: while the one who speaks is trusted, it is believed who it says it speaks for. So it goes from right to
 * left, as each proxy adds behind what it was sent, and ends at the first one that is not trusted, which is the client, or at what is
 * no address ("unknown", a hidden name, nonsense). What stands to the left of that is the client's own invention.
 *
 *     X-Forwarded-For: 6.6.6.6, 203.0.113.9, 10.0.0.7          our peer is 10.0.0.1, and 10.0.0.0/8 is trusted
 *                      invented   the client   a proxy
 *
 * Of the other lists the item counts that the outermost proxy of the walk has added, or the leftmost when there are fewer (most
 * proxies replace what they were sent by one item). A value that is none (a scheme other than http and https, a Host that we
 * would refuse, a prefix that is no safe path) is as good as absent.
 *
 * Only fields in --forwarded-headers are believed (options/forwarded_fields.h), by default For and Proto: a proxy passes on what it
 * does not set, so any other is the client's own. Parameters of Forwarded likewise. Where X-Forwarded-For is not believed
 * there is no walk: the rightmost item of each list counts.
 *
 * Where both families are there Forwarded is not read: far more proxies set the other, and pass it on as they got it.
 *
 * No sockets, no Python; what is found is a function of the section and of who is trusted alone.
 */
#ifndef HTTP_FORWARDED_H
#define HTTP_FORWARDED_H

#include <stdbool.h>

#include "http/endpoint.h"
#include "http/header_section.h"
#include "options/forwarded_fields.h"
#include "options/networks.h"

/* The first ones in the order of enum forwarded_part. */
enum forwarded_name {
    FORWARDED_FOR,
    FORWARDED_PROTO,
    FORWARDED_HOST,
    FORWARDED_PORT,
    FORWARDED_PREFIX,
    FORWARDED_BY,
    FORWARDED_ALL, /* Forwarded itself */
    FORWARDED_NAMES
};

enum forwarded_scheme { SCHEME_UNSAID, SCHEME_HTTP, SCHEME_HTTPS };

/* What is believed. The slices point into the block itself. */
struct forwarded {
    const struct forwarded_fields *fields; /* which may be believed */
    struct peer_endpoint client;           /* the port is empty unless it was said */
    bool has_client;                       /* else it is our peer */
    enum forwarded_scheme scheme;
    struct slice host; /* for HTTP_HOST; data is NULL where Host stays as it is */
    bool host_said;    /* it is not only Host with the port that was said */
    struct slice name; /* for SERVER_NAME: the host without its port, when it was said */
    struct slice
        port; /* for SERVER_PORT; empty: the scheme's, when scheme or host was said, else the listener's */
    bool prefix_said;            /* for SCRIPT_NAME: */
    struct slice prefix;         /* without a slash at its end, decoded */
    struct slice prefix_refused; /* was believed and is no safe path; data is NULL when there is none */
    bool cut_at_private; /* the walk ended at `client`, which is private, and more stands to the left of it */
    /* What is left of each field: the part that was believed, so that an application that reads it itself is not misled. data is NULL
     * when nothing is. */
    struct slice kept[FORWARDED_NAMES];
};

/* The name of a field that only a trusted peer may send: those above, other X-Forwarded-*, X-Real-IP, X-Client-IP. */
bool forwarded_is_name(struct slice name);
/* Which one of those above; FORWARDED_NAMES when it is none. */
enum forwarded_name forwarded_find_name(struct slice name);
/* Of a section with `forwarding`: whether a field must not be shown as it was sent. `forwarded` is the request's: NULL is from
 * nobody trusted. X-Real-IP and X-Client-IP are shown as long as they name no other client than the one that was found. */
bool forwarded_hides(const struct forwarded *forwarded, struct slice name, struct slice value);
/* Whether the client has come by https, as far as is known. `forwarded` may be NULL. */
bool forwarded_is_https(const struct forwarded *forwarded, const struct local_endpoint *local);

/* Of a section that a trusted peer has sent. `fields` must outlive it. Never NULL; free() lets go of it. */
struct forwarded *forwarded_new(const struct header_section *section, const struct networks *trusted,
                                const struct forwarded_fields *fields);
/* The same, made once and kept with the section, by whoever runs the loop. */
const struct forwarded *forwarded_of(struct header_section *section, const struct networks *trusted,
                                     const struct forwarded_fields *fields);

#endif
