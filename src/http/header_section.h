/*
 * The header section of a request (RFC 9110 6.3) and what it decides. One block of memory with a
 * count of references: all requests that repeat a section byte for byte share it (http/memo.h). The
 * parser makes it (http/parser.h).
 *
 * Belongs to the thread that runs the event loop. Other threads may read it while an exchange holds
 * a reference.
 */
#ifndef HTTP_HEADER_SECTION_H
#define HTTP_HEADER_SECTION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

struct field {
    struct slice name;  /* as sent */
    struct slice value; /* without the white space around it */
};

enum framing {
    FRAMING_NONE,    /* no body */
    FRAMING_LENGTH,  /* Content-Length; may be 0 */
    FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
};

/* Visible ASCII characters that an X-Request-Id of a proxy may have. */
enum { REQUEST_ID_MAX = 128 };

struct forwarded;

/* The section is one block of memory: the slices point into it. */
struct header_section {
    /* Changed only by the thread that runs the loop; other threads may read it. */
    _Atomic uint32_t references;
    uint32_t count;
    struct slice bytes; /* as sent, from the first field line through the empty line that ends the head */
    struct slice request_id; /* X-Request-Id, when there is a valid one (REQUEST_ID_MAX); else data is NULL */
    struct slice host;       /* the Host field's value; data is NULL when there was none */
    enum framing framing;
    uint64_t content_length; /* with FRAMING_LENGTH */
    bool connection_close;
    bool connection_keep_alive;
    bool expect_continue;
    bool forwarding; /* it has fields that only a proxy may send (http/forwarded.h) */
    /* Their values, when the sender is trusted; NULL until they are asked for. */
    struct forwarded *forwarded;
    /* The dict that py/environ made of this section, and the function that releases it. NULL until
     * it is made. */
    void *environ;
    void (*environ_free)(void *environ);
    /* Without the fields that the application may not see: names with an underscore
     * (CVE-2015-0219), and Proxy (CVE-2016-5388). */
    struct field fields[];
};

struct header_section *header_section_ref(struct header_section *section);
void header_section_unref(struct header_section *section); /* NULL is fine */
/* The first field of that name (in any case), or NULL. */
const struct field *header_section_find(const struct header_section *section, struct slice name);

#endif
